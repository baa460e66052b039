"""What a settle counts of itself, and a fold: entered in their own transactions, so that no document is ever miscounted.

Part of these two, which call it. Not here: what is counted of requests and waits (requesting, limiting), or where it is kept.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from embedding_assets.domain.counts import Counts
from embedding_assets.domain.work import ClaimedItem, Delete, Fail, Publish, Release, Stage, Tally, Unchanged
from embedding_assets.pipeline.failing import Recorded
from embedding_assets.store.promises import ClosedObligation
from embedding_assets.store.work_queue import Folded
from embedding_assets.telemetry.durable import (
    ARRIVALS,
    CHANGES,
    CHUNKS_PROCESSED,
    CHUNKS_REUSED,
    DOCUMENT_ATTEMPTS,
    DOCUMENT_DURATION,
    DOCUMENTS_ESCALATED,
    DOCUMENTS_PROCESSED,
    ERRORS,
    FRESHNESS_LAG,
    FRESHNESS_SLA_DOCUMENTS,
    QUEUE_WAIT,
    STAGE_DURATION,
)
from embedding_assets.telemetry.gauges import SOURCE_LAST_CHANGE


@dataclass(frozen=True, slots=True)
class Sorted:
    """The outcomes of one settle that this worker still held, by kind."""

    publish: list[Publish]
    unchanged: list[Unchanged]
    delete: list[Delete]
    fail: list[Fail]
    release: list[Release]


def folded_counts(collection: str, folded: Folded) -> Counts:
    """What a fold counts."""
    counts = Counts()
    for lane, arrivals in folded.by_lane.items():
        ARRIVALS.add(counts, collection, lane.value, by=arrivals)
    if folded.newest_change is not None:
        SOURCE_LAST_CHANGE.note(counts, folded.newest_change.timestamp(), collection)
    return counts


def settled_counts(
    collection: str, groups: Sorted, closed: Sequence[ClosedObligation], recorded: Recorded, whole: Tally
) -> Counts:
    """What a settle counts; `whole` is its own tally, and nothing else's."""
    counts = Counts()
    ended = {"success": whole.published, "deleted": whole.deleted, "unchanged": whole.unchanged}
    for outcome, documents in {**ended, "failure": recorded.first}.items():
        DOCUMENTS_PROCESSED.add(counts, collection, outcome, by=documents)
    claims = {**ended, "failure": whole.failed, "released": whole.released, "refused": whole.refused}
    for outcome, documents in claims.items():
        DOCUMENT_ATTEMPTS.add(counts, collection, outcome, by=documents)
    CHUNKS_PROCESSED.add(counts, collection, by=whole.chunks)
    CHUNKS_REUSED.add(counts, collection, by=whole.chunks_reused)
    _count_promises(counts, collection, groups, closed, whole)
    for failure in groups.fail:
        ERRORS.add(counts, collection, failure.stage.value, failure.error.error_type.value)
    CHANGES.add(counts, collection, "failure", by=recorded.changes)
    DOCUMENTS_ESCALATED.add(counts, collection, by=recorded.escalated)
    _observe_times(counts, collection, groups)
    return counts


def _count_promises(
    counts: Counts, collection: str, groups: Sorted, closed: Sequence[ClosedObligation], whole: Tally
) -> None:
    published = {outcome.item.document_key for outcome in groups.publish}
    well = sum(one.document_key in published and not one.charged for one in closed)
    CHANGES.add(counts, collection, "success", by=well)
    FRESHNESS_SLA_DOCUMENTS.add(counts, collection, "met", by=whole.freshness_met)
    FRESHNESS_SLA_DOCUMENTS.add(counts, collection, "missed", by=whole.freshness_missed)
    for one in closed:
        FRESHNESS_LAG.observe(counts, one.lag_seconds, collection)


def _observe_times(counts: Counts, collection: str, groups: Sorted) -> None:
    """By this process's clock, just before the commit, which adds some milliseconds."""
    now = time.monotonic()
    for outcome in groups.publish:
        STAGE_DURATION.observe(counts, outcome.embedding_seconds, Stage.EMBEDDING.value)
        if outcome.embedded_at is not None:
            STAGE_DURATION.observe(counts, now - outcome.embedded_at, Stage.STORAGE.value)
        if outcome.item.taken_at is not None:
            seconds = now - outcome.item.taken_at
            DOCUMENT_DURATION.observe(counts, seconds, collection, "included")
            DOCUMENT_DURATION.observe(counts, seconds - outcome.throttled_seconds, collection, "excluded")
    for ended in (*groups.publish, *groups.unchanged, *groups.delete, *groups.fail):
        _observe_wait(counts, ended.item, ended.item.claimed_at)


def _observe_wait(counts: Counts, item: ClaimedItem, claimed_at: datetime | None) -> None:
    if claimed_at is not None:
        QUEUE_WAIT.observe(counts, (claimed_at - item.first_enqueued_at).total_seconds(), item.lane.value)
