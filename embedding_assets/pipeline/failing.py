"""A claim that ended in a failure of its document: which episode it belongs to, what follows, how long it took.

Part of settle, whose transaction holds the claims' rows. Not here: the ladder (domain/backoff).
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from embedding_assets.domain.backoff import Decision, Escalate, InQueue, OnlyRecord, next_step
from embedding_assets.domain.work import Fail
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import failures, promises
from embedding_assets.store.database import Tx
from embedding_assets.store.failures import Episode


@dataclass(frozen=True, slots=True)
class Recorded:
    """Of the failures that were written: first ones of their episode, those that were given to a person, changes first charged."""

    first: int = 0
    escalated: int = 0
    changes: int = 0


async def record_failures(tx: Tx, bench: Workbench, failed: Sequence[Fail]) -> Recorded:
    """Write each attempt, in key order, and when the document is tried again."""
    ordered = sorted(failed, key=lambda failure: failure.item.document_key)
    collection_id = bench.target.collection_id
    episodes = await failures.episodes(tx, collection_id, [failure.item for failure in ordered])
    first = escalated = 0
    for failure in ordered:
        episode = episodes[failure.item.document_key]
        decision = _what_follows(bench, failure, episode)
        first += episode.attempts == 0 and not episode.is_past
        escalated += isinstance(decision, Escalate)
        await failures.record(
            tx, collection_id, failure, episode, decision, run_id=bench.run_id, seconds=_seconds(failure)
        )
    changes = await promises.charge_obligations(tx, collection_id, [failure.item for failure in ordered])
    return Recorded(first, escalated, changes)


def _what_follows(bench: Workbench, failure: Fail, episode: Episode) -> Decision:
    """A retry or an escalation only where the failure is about the newest content there is."""
    if episode.is_past:
        return OnlyRecord()
    if episode.waiting is not None:
        return InQueue()
    attempts = episode.attempts + 1
    return next_step(failure.error.failure_class, attempts, luck=random.random(), ladder=bench.pace.ladder)


def _seconds(failure: Fail) -> float | None:
    taken_at = failure.item.taken_at
    return None if taken_at is None else time.monotonic() - taken_at
