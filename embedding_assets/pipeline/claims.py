"""The claims a run holds: taken in lanes, kept alive, given back. First step of the stream.

Not here: what is done with an item.
"""

from dataclasses import dataclass

import anyio

from embedding_assets.domain.work import ClaimedItem, Lane, PublishedState
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import corpus, work_queue

# Of every 20 claims one is left for the backfill lane, however much live work there is.
_BACKFILL_SHARE = 20
# Arrivals of one fold's transaction.
_FOLDED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claimed item and what search shows of it now (None: nothing)."""

    item: ClaimedItem
    published: PublishedState | None


class Claims:
    """Claims of one run over the `shards` it has. `held` maps keys to items until they are settled or released."""

    def __init__(self, bench: Workbench, shards: list[int]) -> None:
        self._bench = bench
        self.shards = shards
        self._changed = anyio.Event()
        self.held: dict[str, ClaimedItem] = {}

    async def take(self, room: int) -> list[Claimed]:
        """Fold arrivals, then claim up to `room` items, live first; what lost two workers comes alone, last."""
        target = self._bench.target
        await self._fold()
        async with self._bench.db.transaction() as tx:
            live = await self._claim(tx, Lane.LIVE, room - room // _BACKFILL_SHARE)
            items = live + await self._claim(tx, Lane.BACKFILL, room - len(live))
            if not items and not self.held:
                items = await self._claim_suspect(tx)
            known = await corpus.published_state(
                tx, target.collection_id, target.model_id, [item.document_key for item in items]
            )
        for item in items:
            self.held[item.document_key] = item
        return [Claimed(item, known.get(item.document_key)) for item in items]

    def settled(self, items: list[ClaimedItem]) -> None:
        """These claims ended, one way or the other."""
        for item in items:
            self.held.pop(item.document_key, None)
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def wait_for_room(self) -> None:
        """Until some claim ends."""
        await self._changed.wait()

    async def keep_alive(self) -> None:
        """Lengthen the leases of items and shards for ever; run it beside the stream and cancel it at the end."""
        pace, target = self._bench.pace, self._bench.target
        while True:
            await anyio.sleep(pace.lease_seconds / 3)
            async with self._bench.db.transaction() as tx:
                await work_queue.extend(
                    tx,
                    target.collection_id,
                    list(self.held.values()),
                    lease_seconds=pace.lease_seconds,
                    max_claim_seconds=pace.max_claim_seconds,
                )
                # A shard another run took while this one could not say that it lives is not ours to claim from.
                self.shards = await work_queue.extend_shards(
                    tx, target.collection_id, owner=self._bench.run_id, lease_seconds=pace.lease_seconds
                )

    async def release_all(self) -> int:
        """Give back whatever is still held, with no attempt spent; how many were still ours."""
        items = list(self.held.values())
        if not items:
            return 0
        async with self._bench.db.transaction() as tx:
            released = await work_queue.release(tx, self._bench.target.collection_id, items)
        self.settled(items)
        return released

    async def _fold(self) -> None:
        """All that has arrived: a live change may stand behind a million arrivals of a load."""
        folded = _FOLDED_AT_ONCE
        while folded == _FOLDED_AT_ONCE:
            async with self._bench.db.transaction() as tx:
                folded = await work_queue.fold(tx, self._bench.target.collection_id, arrivals=_FOLDED_AT_ONCE)

    async def _claim(self, tx: work_queue.Tx, lane: Lane, items: int, *, suspects: bool = False) -> list[ClaimedItem]:
        if items <= 0:
            return []
        return await work_queue.claim(
            tx,
            self._bench.target.collection_id,
            self.shards,
            lane=lane,
            items=items,
            owner=self._bench.run_id,
            lease_seconds=self._bench.pace.lease_seconds,
            suspects=suspects,
            # A lease may end while its document waits here for a slow provider: this run is not its own successor.
            leave=list(self.held),
        )

    async def _claim_suspect(self, tx: work_queue.Tx) -> list[ClaimedItem]:
        return await self._claim(tx, Lane.LIVE, 1, suspects=True) or await self._claim(
            tx, Lane.BACKFILL, 1, suspects=True
        )
