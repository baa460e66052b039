"""References in: producers that append arrivals, and the fold that turns them into work items.

They are live changes with a promise each: the most that enqueue, fold and settle ever have to write for a reference.
"""

import asyncio
import time
from datetime import datetime, timezone

from embedding_assets.domain.work import Lane
from embedding_assets.store import work_queue
from embedding_assets.store.database import Database

_BATCH = 1_000
_FOLDED_AT_ONCE = 10_000


async def enqueue(db: Database, collection_id: int, numbers: range, *, producers: int) -> float:
    """Append an arrival for each number, a transaction for every thousand; seconds."""
    started = time.perf_counter()
    parts = [numbers[first::producers] for first in range(producers)]
    await asyncio.gather(*(_produce(db, collection_id, part) for part in parts))
    return time.perf_counter() - started


async def fold_all(db: Database, collection_id: int) -> tuple[int, float]:
    """Fold until nothing is left; arrivals taken, seconds."""
    started = time.perf_counter()
    total, folded = 0, _FOLDED_AT_ONCE
    while folded == _FOLDED_AT_ONCE:
        async with db.transaction() as tx:
            folded = (await work_queue.fold(tx, collection_id, arrivals=_FOLDED_AT_ONCE)).arrivals
        total += folded
    return total, time.perf_counter() - started


async def _produce(db: Database, collection_id: int, numbers: range) -> None:
    for start in range(0, len(numbers), _BATCH):
        now = datetime.now(timezone.utc)
        changes = [(_key(number), now) for number in numbers[start : start + _BATCH]]
        async with db.transaction() as tx:
            await work_queue.enqueue(tx, collection_id, changes, lane=Lane.LIVE)


def _key(number: int) -> str:
    """Neighbours in a listing are not neighbours in time."""
    return f"handbook/part-{number % 997:03}/page-{number:07}.md"
