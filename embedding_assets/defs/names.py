"""What a collection's things are called in Dagster, and the tags its runs carry."""

import re
from collections.abc import Sequence

import dagster as dg

from embedding_assets.domain.documents import shard_name
from embedding_assets.pipeline.run_stages import DocumentStage

RUN_GROUP_TAG = "embedding_assets/run_group"
MAX_RUNTIME_TAG = "dagster/max_runtime"
# A run ends by itself once it has claimed for its time and settled for its time; a minute later it is hung.
_GRACE_SECONDS = 60


def asset_key(collection: str, stage: DocumentStage) -> dg.AssetKey:
    """For example `docs/embeddings`."""
    return dg.AssetKey([collection, stage.value])


def embed_documents_job(collection: str) -> str:
    """The job that drains the queue."""
    return f"{collection}__embed_documents"


def embed_documents_step(collection: str) -> str:
    """The one step of that job; run config names it."""
    return f"{collection}__documents"


def poll_step(collection: str) -> str:
    """The one step of the job that polls the source."""
    return f"{collection}__poll_source"


def sync_sources_job(collection: str) -> str:
    """The job that polls the source."""
    return f"{collection}__sync_sources"


def reprocess_job(collection: str) -> str:
    """The job that puts due failed documents back in the queue."""
    return f"{collection}__reprocess_failed_documents"


def maintain_job(collection: str) -> str:
    """The job that collects what nobody holds and sees to the index."""
    return f"{collection}__maintain_index"


def reembed_job(collection: str) -> str:
    """The job that brings up to date what is stale."""
    return f"{collection}__reembed_stale_documents"


def reembed_step(collection: str) -> str:
    """The one step of that job; run config names it."""
    return f"{collection}__reembed"


def check_job(collection: str) -> str:
    """The job that looks at what is stored."""
    return f"{collection}__check_stored_data"


def slo_report_key(collection: str) -> dg.AssetKey:
    """The asset that holds what happened against the objectives."""
    return dg.AssetKey([collection, "slo_report"])


def slo_report_job(collection: str) -> str:
    """The job that makes it."""
    return f"{collection}__slo_report"


def capacity_forecast_key(collection: str) -> dg.AssetKey:
    """The asset that says when what there is runs out."""
    return dg.AssetKey([collection, "capacity_forecast"])


def capacity_forecast_job(collection: str) -> str:
    """The job that makes it."""
    return f"{collection}__capacity_forecast"


def index_health_key(collection: str) -> dg.AssetKey:
    """The asset that says how the vector index is."""
    return dg.AssetKey([collection, "index_health"])


def index_health_job(collection: str) -> str:
    """The job that looks at it."""
    return f"{collection}__index_health"


def watched_jobs(collection: str) -> list[str]:
    """The jobs whose failed runs somebody is told of."""
    makers = (
        embed_documents_job,
        sync_sources_job,
        reprocess_job,
        reembed_job,
        maintain_job,
        check_job,
        slo_report_job,
        capacity_forecast_job,
        index_health_job,
    )
    return [name_of(collection) for name_of in makers]


def run_group(collection: str, shards: Sequence[int], groups: int) -> str:
    """The value of the tag that runs over these shards carry: the collection, and the range where there are several."""
    return collection if groups == 1 else f"{collection}/{shard_name(shards[0])}-{shard_name(shards[-1])}"


def longest_run_seconds(max_run_seconds: float, finish_seconds: float) -> int:
    """After this a run is hung: Dagster ends it, and schedules no longer wait for it."""
    return int(max_run_seconds + finish_seconds) + _GRACE_SECONDS


def max_runtime_tag(longest_seconds: int) -> dict[str, str]:
    """The tag by which Dagster ends a hung run."""
    return {MAX_RUNTIME_TAG: str(longest_seconds)}


def valid_owners(owner: str) -> list[str]:
    """The owner as Dagster takes it, an e-mail address or `team:name`; nothing when it is neither."""
    return [owner] if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+|team:[\w-]+", owner) else []
