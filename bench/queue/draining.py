"""References out: claims, timed, and the statements by which the engine settles what it claimed.

Not here: what a settle publishes; a document's content is not the queue's matter.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from embedding_assets.domain.claim_starts import ClaimStarts
from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.work import ClaimedItem, Lane
from embedding_assets.pipeline.workbench import Pace
from embedding_assets.store import promises, work_queue
from embedding_assets.store.database import Database
from embedding_assets.store.work_queue import Pick

ITEMS = 200
_ALL_SHARDS = range(SHARDS)
_WORKERS = 4
_SETTLED_AT_ONCE = Pace().settle_documents


@dataclass(slots=True)
class Claimer:
    """A worker over these shards."""

    db: Database
    collection_id: int
    shards: Sequence[int]
    name: str = "bench"
    lease_seconds: float = 60.0
    starts: ClaimStarts = field(default_factory=ClaimStarts)

    async def claim(self, milliseconds: list[float]) -> list[ClaimedItem]:
        """Claim as the engine does while it holds something, evenly over the shards; notes how long it took, commit included."""
        even = -(-ITEMS // len(self.shards))
        started = time.perf_counter()
        self.starts.look_again(started, idle=False)
        async with self.db.transaction() as tx:
            items = await work_queue.claim(
                tx,
                self.collection_id,
                self.shards,
                lane=Lane.LIVE,
                items=ITEMS,
                owner=self.name,
                lease_seconds=self.lease_seconds,
                pick=Pick(of_each=[even] * len(self.shards), starts=self.starts.of(Lane.LIVE, self.shards)),
            )
        self.starts.claimed(items)
        milliseconds.append((time.perf_counter() - started) * 1_000)
        return items

    async def settle(self, items: Sequence[ClaimedItem]) -> None:
        """End the claims, as many in a transaction as the engine ends."""
        for start in range(0, len(items), _SETTLED_AT_ONCE):
            part = items[start : start + _SETTLED_AT_ONCE]
            async with self.db.transaction() as tx:
                held = await work_queue.lock_claims(tx, self.collection_id, part)
                await promises.close_obligations(
                    tx, self.collection_id, [item for item in part if item.document_key in held]
                )
                await work_queue.finish(tx, self.collection_id, sorted(held))


async def churn(db: Database, collection_id: int, references: int) -> tuple[list[float], list[datetime | None]]:
    """One worker claims and settles so many; milliseconds of each claim, and where it ended in each shard."""
    worker = Claimer(db, collection_id, _ALL_SHARDS)
    milliseconds: list[float] = []
    done = 0
    while done < references:
        items = await worker.claim(milliseconds)
        await worker.settle(items)
        done += len(items)
    return milliseconds, worker.starts.of(Lane.LIVE, _ALL_SHARDS)


async def drain(db: Database, collection_id: int, references: int) -> tuple[list[float], float]:
    """Workers with shards of their own claim and settle so many together; milliseconds of each claim, seconds of all."""
    left, milliseconds = references, list[float]()
    started = time.perf_counter()

    async def work(worker: Claimer) -> None:
        nonlocal left
        while left > 0:
            items = await worker.claim(milliseconds)
            if not items:
                return
            left -= len(items)
            await worker.settle(items)

    each = SHARDS // _WORKERS
    ranges = [_ALL_SHARDS[first * each : (first + 1) * each] for first in range(_WORKERS)]
    await asyncio.gather(*(work(Claimer(db, collection_id, shards, f"bench-{shards[0]}")) for shards in ranges))
    return milliseconds, time.perf_counter() - started


@asynccontextmanager
async def leased(db: Database, collection_id: int, references: int) -> AsyncGenerator[None, None]:
    """So many are leased to another worker meanwhile, and given back afterwards."""
    other = Claimer(db, collection_id, _ALL_SHARDS, "other", lease_seconds=3_600.0)
    held = [await other.claim([]) for _ in range(math.ceil(references / ITEMS))]
    yield
    for items in held:
        async with db.transaction() as tx:
            await work_queue.release(tx, collection_id, items)


@asynccontextmanager
async def old_snapshot(db: Database) -> AsyncGenerator[None, None]:
    """Another connection's transaction has read and stays open, as a dump's does: nothing that dies meanwhile is cleaned up."""
    async with db.transaction() as reader:
        await reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await reader.execute("SELECT FROM embedding_assets.work_items LIMIT 1")
        yield
