"""What a collection's things are called in Dagster, and the tags its runs carry."""

import re

import dagster as dg

from embedding_assets.pipeline.run_stages import DocumentStage

RUN_GROUP_TAG = "embedding_assets/run_group"
MAX_RUNTIME_TAG = "dagster/max_runtime"
# A run stops claiming after its time budget; what it still holds needs a little longer to settle or to be given back.
_GRACE_SECONDS = 300


def asset_key(collection: str, stage: DocumentStage) -> dg.AssetKey:
    """For example `docs/embeddings`."""
    return dg.AssetKey([collection, stage.value])


def embed_documents_job(collection: str) -> str:
    """The job that drains the queue."""
    return f"{collection}__embed_documents"


def embed_documents_step(collection: str) -> str:
    """The one step of that job; run config names it."""
    return f"{collection}__documents"


def sync_sources_job(collection: str) -> str:
    """The job that polls the source."""
    return f"{collection}__sync_sources"


def reprocess_job(collection: str) -> str:
    """The job that puts due failed documents back in the queue."""
    return f"{collection}__reprocess_failed_documents"


def check_job(collection: str) -> str:
    """The job that looks at what is stored."""
    return f"{collection}__check_stored_data"


def longest_run_seconds(max_run_seconds: float) -> int:
    """After this a run is stuck: Dagster ends it, and schedules no longer wait for it."""
    return int(max_run_seconds) + _GRACE_SECONDS


def max_runtime_tag(max_run_seconds: float) -> dict[str, str]:
    """The tag by which Dagster ends a stuck run."""
    return {MAX_RUNTIME_TAG: str(longest_run_seconds(max_run_seconds))}


def valid_owners(owner: str) -> list[str]:
    """The owner as Dagster takes it, an e-mail address or `team:name`; nothing when it is neither."""
    return [owner] if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+|team:[\w-]+", owner) else []
