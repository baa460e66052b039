"""The claims a run holds: taken in lanes, kept alive, given back. First step of the stream.

Not here: how many may be taken (admission), what is done with an item.
"""

import math
import time
from dataclasses import dataclass, replace

import anyio

from embedding_assets.domain.admitted import Admitted, Left
from embedding_assets.domain.claim_starts import ClaimStarts
from embedding_assets.domain.work import BACKFILL_SHARE, ClaimedItem, Lane, PublishedState
from embedding_assets.pipeline.settled_counts import folded_counts
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import corpus, shard_leases, work_queue
from embedding_assets.store.work_queue import Pick

# Backfill has its share of claims where it has waited for so long.
_BACKFILL_PATIENCE_SECONDS = 600.0
# How long a change of a document that is claimed as backfill goes unnoticed.
_CHANGES_SEEN_SECONDS = 1.0
# Arrivals of one fold's transaction.
_FOLDED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claimed item and what search shows of it now (None: nothing)."""

    item: ClaimedItem
    published: PublishedState | None


class Claims:
    """Claims of one run over the `shards` it has. `held` maps keys to items until they are settled or released.

    A claim of backfill that nobody began to read is given back when its document changes, to be claimed again as live.
    """

    def __init__(self, bench: Workbench, shards: list[int]) -> None:
        self._bench = bench
        self.shards = shards
        self._changed = anyio.Event()
        self._owed_to_backfill = 0.0
        self._turn = 0
        self._starts = ClaimStarts()
        self._changes_seen_at = -math.inf
        self._unread: dict[str, ClaimedItem] = {}
        self.held: dict[str, ClaimedItem] = {}

    async def take(self, admitted: Admitted) -> list[Claimed]:
        """Fold arrivals, then claim: live first, backfill its part; what lost two workers comes alone, last."""
        await self._fold()
        taken: list[Claimed] = []
        if not self.holds_suspect:
            # A commit that is cancelled may have happened: what it claimed would be nobody's until its lease ends.
            with anyio.CancelScope(shield=True):
                await self._release_changed()
                taken = await self._take(admitted)
        return taken

    async def _take(self, admitted: Admitted) -> list[Claimed]:
        self._starts.look_again(time.monotonic(), idle=not self.held)
        claimed = await self._bench.db.atomically(lambda tx: self._claimed(tx, admitted))
        self._starts.claimed([one.item for one in claimed])
        for one in claimed:
            self.held[one.item.document_key] = self._unread[one.item.document_key] = one.item
        return claimed

    def room(self, most: int) -> Admitted:
        """What may be claimed beside what is held: backfill has none of live's room, so that no change waits for it to end."""
        size = self._bench.pace.claim_documents
        backfill = self.held_of_backfill
        live = len(self.held) - backfill
        documents = min(2 * size - live, size, most)
        return Admitted(documents, max(0, min(documents, 2 * size - live - backfill)))

    @property
    def held_of_backfill(self) -> int:
        """How many of the claims held are backfill's."""
        return sum(item.lane is Lane.BACKFILL for item in self.held.values())

    @property
    def holds_suspect(self) -> bool:
        """Whether what is held may take a worker along: then it is held alone."""
        return any(item.lost_claims >= work_queue.SUSPECT_AFTER for item in self.held.values())

    async def anything_ready(self) -> bool:
        """Whether a claim would find something."""
        async with self._bench.db.transaction() as tx:
            return await work_queue.has_ready_work(tx, self._bench.target.collection_id, self.shards)

    def begin(self, item: ClaimedItem) -> bool:
        """Whether the claim still stands; once begun, it is not given back for a change."""
        if self._unread.get(item.document_key) is not item:
            return False
        del self._unread[item.document_key]
        return True

    async def live_waits(self) -> bool:
        """Whether a live change could be claimed, if there were room for it."""
        await self._fold()
        async with self._bench.db.transaction() as tx:
            return await work_queue.has_live_work(tx, self._bench.target.collection_id, self.shards)

    def settled(self, items: list[ClaimedItem]) -> None:
        """These claims ended, one way or the other."""
        for item in items:
            if self.held.get(item.document_key) is item:
                del self.held[item.document_key]
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def wait_for_room(self, seconds: float = math.inf) -> None:
        """Until some claim ends, or for so long."""
        with anyio.move_on_after(seconds):
            await self._changed.wait()

    async def keep_alive(self) -> None:
        """Lengthen the leases of items and shards for ever; run it beside the stream and cancel it at the end."""
        while True:
            await anyio.sleep(self._bench.pace.lease_seconds / 3)
            # A shard another run took while this one could not say that it lives is not ours to claim from.
            self.shards = await self._bench.db.atomically(self._extended)

    async def release_all(self) -> int:
        """Give back whatever is still held, with no attempt spent; how many were still ours."""
        items = list(self.held.values())
        if not items:
            return 0
        collection_id = self._bench.target.collection_id
        released = await self._bench.db.atomically(lambda tx: work_queue.release(tx, collection_id, items))
        self.settled(items)
        return released

    async def _release_changed(self) -> None:
        """A change in the middle of 400 claims waited 68 s for them on a busy machine, where others waited 8."""
        backfill = [item for item in self._unread.values() if item.lane is Lane.BACKFILL]
        if not backfill or time.monotonic() < self._changes_seen_at + _CHANGES_SEEN_SECONDS:
            return
        self._changes_seen_at = time.monotonic()
        collection_id = self._bench.target.collection_id
        changed = await self._bench.db.atomically(lambda tx: work_queue.release_changed(tx, collection_id, backfill))
        if changed:
            self._starts.forget()
        for key in changed:
            # One that a reader began meanwhile comes to a settle that refuses it.
            self._unread.pop(key, None)
            self.held.pop(key, None)

    async def _fold(self) -> None:
        """All that has arrived: a live change may stand behind a million arrivals of a load."""
        while await self._bench.db.atomically(self._folded) == _FOLDED_AT_ONCE:
            pass

    async def _folded(self, tx: work_queue.Tx) -> int:
        folded = await work_queue.fold(tx, self._bench.target.collection_id, arrivals=_FOLDED_AT_ONCE)
        if folded.arrivals:
            await self._bench.ledger.enter(tx, folded_counts(self._bench.target.name, folded))
        return folded.arrivals

    async def _extended(self, tx: work_queue.Tx) -> list[int]:
        pace, target = self._bench.pace, self._bench.target
        await work_queue.extend(
            tx,
            target.collection_id,
            list(self.held.values()),
            lease_seconds=pace.lease_seconds,
            max_claim_seconds=pace.max_claim_seconds,
        )
        return await shard_leases.extend_shards(
            tx, target.collection_id, owner=self._bench.run_id, lease_seconds=pace.lease_seconds
        )

    async def _claimed(self, tx: work_queue.Tx, admitted: Admitted) -> list[Claimed]:
        target = self._bench.target
        items = await self._claim_lanes(tx, admitted)
        if not items and not self.held:
            items = await self._claim_suspect(tx)
        known = await corpus.published_state(
            tx, target.collection_id, target.model_id, [item.document_key for item in items]
        )
        now = time.monotonic()
        return [Claimed(replace(item, taken_at=now), known.get(item.document_key)) for item in items]

    async def _claim_lanes(self, tx: work_queue.Tx, admitted: Admitted) -> list[ClaimedItem]:
        """First what backfill is owed, then live, then backfill with the rest."""
        left = Left(admitted)
        self._owed_to_backfill = min(self._owed_to_backfill + left.documents / BACKFILL_SHARE, left.documents)
        owed = min(int(self._owed_to_backfill), left.documents, admitted.backfill)
        backfill = await self._claim(tx, Lane.BACKFILL, owed, left, waited_seconds=_BACKFILL_PATIENCE_SECONDS)
        self._owed_to_backfill -= owed
        live = await self._claim(tx, Lane.LIVE, left.documents, left)
        rest = min(left.documents, admitted.backfill - len(backfill))
        return backfill + live + await self._claim(tx, Lane.BACKFILL, rest, left)

    async def _claim(
        self, tx: work_queue.Tx, lane: Lane, items: int, left: Left, *, waited_seconds: float = 0.0
    ) -> list[ClaimedItem]:
        """Evenly over the shards, so that one with a long backlog does not hold up the others; then whatever is left."""
        if items <= 0:
            return []
        claimed: list[ClaimedItem] = []
        even = -(-items // max(len(self.shards), 1))
        shards = self._in_turn()
        for most in (even, items):
            got = await work_queue.claim(
                tx,
                self._bench.target.collection_id,
                shards,
                lane=lane,
                items=items - len(claimed),
                owner=self._bench.run_id,
                lease_seconds=self._bench.pace.lease_seconds,
                pick=Pick(
                    of_each=left.of_each(shards, most),
                    # A lease may end while its document waits here for a slow provider: this run is not its own successor.
                    leave=list(self.held),
                    waited_seconds=waited_seconds,
                    starts=self._starts.of(lane, shards),
                ),
            )
            claimed += got
            left.taken(got)
            if len(claimed) == items or len(got) < even:
                break
        return claimed

    def _in_turn(self) -> list[int]:
        """The shards, another one first each time: where there is room for one document, not always the same gets it."""
        self._turn = (self._turn + 1) % max(len(self.shards), 1)
        return self.shards[self._turn :] + self.shards[: self._turn]

    async def _claim_suspect(self, tx: work_queue.Tx) -> list[ClaimedItem]:
        for lane in Lane:
            items = await work_queue.claim(
                tx,
                self._bench.target.collection_id,
                self.shards,
                lane=lane,
                items=1,
                owner=self._bench.run_id,
                lease_seconds=self._bench.pace.lease_seconds,
                pick=Pick(suspects=True),
            )
            if items:
                return items
        return []
