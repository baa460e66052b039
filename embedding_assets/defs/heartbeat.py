"""The heartbeat: a materialization that says "everything known is published as of now", recorded only when it is true.

Without it a freshness policy fails on a source that nobody changes. It belongs to no run: nothing had to be done.
"""

from datetime import datetime, timedelta, timezone

import dagster as dg

from embedding_assets.defs.names import asset_key
from embedding_assets.pipeline.collection_state import Readiness
from embedding_assets.pipeline.run_stages import DocumentStage

_AT_MOST_EVERY = timedelta(minutes=15)
# The policy warns after three quarters of the promise: three heartbeats may fail to come before it does.
_PER_PROMISE = 4


def record_heartbeat(instance: dg.DagsterInstance, collection: str, state: Readiness, freshness_seconds: float) -> bool:
    """Record one for each asset of an idle collection, if it is true and the last materialization is old enough."""
    newest = _last_materialized(instance, collection)
    recent = newest is not None and datetime.now(timezone.utc) - newest < heartbeat_every(freshness_seconds)
    if recent or not all_is_published(state, freshness_seconds):
        return False
    metadata = {"heartbeat": True, "source_polled_at": dg.MetadataValue.timestamp(state.last_poll_at or state.now)}
    for stage in DocumentStage:
        key = asset_key(collection, stage)
        description = "Nothing changed: everything known is published."
        instance.report_runless_asset_event(dg.AssetMaterialization(key, description, metadata))
    return True


def heartbeat_every(freshness_seconds: float) -> timedelta:
    """How often one comes at most: every 15 minutes, and oftener where the promise is shorter than an hour."""
    return min(_AT_MOST_EVERY, timedelta(seconds=freshness_seconds / _PER_PROMISE))


def all_is_published(state: Readiness, freshness_seconds: float) -> bool:
    """Nothing waits, nothing is overdue, and the source was looked at within the promise."""
    if state.ready or state.overdue or state.last_poll_at is None:
        return False
    return state.now - state.last_poll_at < timedelta(seconds=freshness_seconds)


def _last_materialized(instance: dg.DagsterInstance, collection: str) -> datetime | None:
    event = instance.get_latest_materialization_event(asset_key(collection, DocumentStage.EMBEDDINGS))
    return datetime.fromtimestamp(event.timestamp, timezone.utc) if event else None
