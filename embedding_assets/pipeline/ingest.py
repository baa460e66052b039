"""The engine: work items in, published documents out, as one stream with bounded queues.

admit → claim → fetch → chunk → pack → embed → check → COPY → settle. No transaction is open across a source or provider call; a
document is settled as soon as it is whole, however large the backlog. Not here: Dagster, settings, SQL.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from embedding_assets.domain.admitted import Admitted
from embedding_assets.domain.circuits import CircuitOpen
from embedding_assets.domain.counts import Counts
from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.limits import LimitWait
from embedding_assets.domain.work import Lane, Outcome, Tally, total
from embedding_assets.pipeline.admission import Admission
from embedding_assets.pipeline.circuits import circuits_closed
from embedding_assets.pipeline.claims import Claimed, Claims
from embedding_assets.pipeline.counting import put_counts_together
from embedding_assets.pipeline.lanes import LaneStream
from embedding_assets.pipeline.limiting import LONGEST_PAUSE_SECONDS
from embedding_assets.pipeline.promises import count_missed
from embedding_assets.pipeline.request_counts import RequestCounts
from embedding_assets.pipeline.requesting import Requester
from embedding_assets.pipeline.settling import settle
from embedding_assets.pipeline.streams import first_reason, gather
from embedding_assets.pipeline.switching import require_active, told_if_replaced
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import collections, shard_leases, vectors
from embedding_assets.store.database import Tx

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

ALL_SHARDS = tuple(range(SHARDS))


@dataclass(slots=True)
class RunOutcome:
    """What a run did. `shards` are those it could lease; `tallies` has those that had work. Seconds are wall time.

    `stopped_by` is what the run would have had to wait for when it ended with documents still in the queue.
    """

    shards: tuple[int, ...]
    tallies: dict[int, Tally] = field(default_factory=dict[int, Tally])
    requests: RequestCounts = field(default_factory=RequestCounts)
    seconds: float = 0.0
    stopped_by: LimitWait | None = None

    @property
    def total(self) -> Tally:
        """The sum over shards."""
        return total(self.tallies.values())


class EmbeddingIngestionPipeline:
    """Processes the queue of one collection. One run at a time per instance; any number of instances anywhere."""

    def __init__(self, bench: Workbench, *, on_settled: Callable[[Tally], None] | None = None) -> None:
        self._bench = bench
        self._on_settled = on_settled

    async def run(
        self,
        shards: Sequence[int] = ALL_SHARDS,
        *,
        force: bool = False,
        max_documents: int | None = None,
        probe_now: bool = False,
    ) -> RunOutcome:
        """Drain the queue of these shards, as far as no other run works them.

        `force` prepares and publishes documents even when nothing changed; `max_documents` bounds what is claimed;
        `probe_now` probes an open circuit before its time.

        Raises:
            ClassifiedError: a systemic failure, one sentence; everything claimed was released with no attempt spent.
            CircuitOpen: one that somebody met before, likewise.
        """
        await count_missed(self._bench.db)
        async with circuits_closed(self._bench, probe_now=probe_now), told_if_replaced(self._bench):
            return await self._run(shards, force=force, max_documents=max_documents)

    async def _run(self, shards: Sequence[int], *, force: bool, max_documents: int | None) -> RunOutcome:
        leased = await self._lease(shards)
        started = time.monotonic()
        options = StreamOptions(force, max_documents, await self._inputs_per_document(), self._on_settled)
        stream = _Stream(self._bench, leased, options)
        try:
            if leased:
                await stream.run()
        finally:
            with anyio.CancelScope(shield=True):
                await stream.claims.release_all()
                await self._leave(stream)
        if stream.admission.circuit is not None:
            raise CircuitOpen(stream.admission.circuit)
        seconds = time.monotonic() - started
        return RunOutcome(tuple(leased), stream.tallies, stream.requester.counts, seconds, stream.admission.stopped_by)

    async def _inputs_per_document(self) -> float:
        async with self._bench.db.transaction() as tx:
            return await collections.inputs_per_document(tx, self._bench.target.collection_id)

    async def _lease(self, shards: Sequence[int]) -> list[int]:
        bench, collection_id = self._bench, self._bench.target.collection_id

        async def lease(tx: Tx) -> list[int]:
            seconds = bench.pace.lease_seconds
            leased = await shard_leases.lease_shards(
                tx, collection_id, shards, owner=bench.run_id, lease_seconds=seconds
            )
            await shard_leases.end_leases_of_others(tx, collection_id, leased, owner=bench.run_id)
            return leased

        async def make_table(tx: Tx) -> None:
            # Of a collection that was removed meanwhile nobody would ever drop it.
            await require_active(tx, bench.target)
            await vectors.create_table(tx, bench.target.table)

        await bench.db.atomically(make_table)
        return await bench.db.atomically(lease)

    async def _leave(self, stream: "_Stream") -> None:
        bench = self._bench
        done = total(stream.tallies.values())

        async def leave(tx: Tx) -> None:
            await shard_leases.free_shards(tx, bench.target.collection_id, owner=bench.run_id)
            if bench.embedder.wire_format is not None:
                await collections.remember_wire_format(tx, bench.target.model_id, bench.embedder.wire_format)
            await collections.remember_inputs_per_document(
                tx, bench.target.collection_id, documents=done.published, inputs=done.chunks - done.chunks_reused
            )
            await bench.ledger.enter(tx, Counts())

        await bench.db.atomically(leave)
        await put_counts_together(bench.db)


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How one run's stream differs from another's."""

    force: bool
    max_documents: int | None
    inputs_per_document: float
    on_settled: Callable[[Tally], None] | None


class _Stream:
    """One run's stream: its queues, its tasks, its counts."""

    def __init__(self, bench: Workbench, shards: list[int], options: StreamOptions) -> None:
        self._bench = bench
        self._options = options
        self._left = options.max_documents if options.max_documents is not None else sys.maxsize
        self._deadline = time.monotonic() + bench.pace.max_run_seconds
        self.claims = Claims(bench, shards)
        self.requester = Requester(bench)
        self.admission = Admission(bench, self.requester, self.claims, inputs_per_document=options.inputs_per_document)
        self.tallies: dict[int, Tally] = {}
        self._lanes = {lane: LaneStream(bench, self.claims, self.requester, force=options.force) for lane in Lane}

    async def run(self) -> None:
        try:
            async with anyio.create_task_group() as background:
                background.start_soon(self.claims.keep_alive)
                await self._run_in_time()
                background.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise first_reason(group) from group

    async def _run_in_time(self) -> None:
        """A provider that throttles for ever must not hold a run for ever: what still waits then is given back."""
        pace = self._bench.pace
        with anyio.move_on_after(pace.max_run_seconds + pace.finish_seconds) as time_left:
            await self._run_stages()
        if time_left.cancelled_caught:
            for item in self.claims.held.values():
                self.tallies.setdefault(item.shard, Tally()).released += 1

    async def _run_stages(self) -> None:
        pace = self._bench.pace
        claimed: dict[Lane, MemoryObjectSendStream[Claimed]] = {}
        async with anyio.create_task_group() as stages:
            for lane, stream in self._lanes.items():
                claimed[lane], of_lane = anyio.create_memory_object_stream[Claimed](pace.claim_documents * 2)
                outcomes_in, outcomes_out = anyio.create_memory_object_stream[Outcome](pace.settle_documents * 2)
                stages.start_soon(stream.run, of_lane, outcomes_in)
                stages.start_soon(self._settle, outcomes_out)
            stages.start_soon(self._take_in, claimed)

    async def _take_in(self, claimed: Mapping[Lane, MemoryObjectSendStream[Claimed]]) -> None:
        """Claim while there is room, and end when nothing is ready and nothing is under way that could come back."""
        async with claimed[Lane.LIVE], claimed[Lane.BACKFILL]:
            while self._left > 0 and time.monotonic() < self._deadline and not self.admission.used_up:
                room = self.claims.room(self._left)
                if room.documents <= 0:
                    await self.claims.wait_for_room()
                    continue
                admitted = await self.admission.admitted(room)
                if isinstance(admitted, LimitWait):
                    if not await self.admission.wait(admitted):
                        return
                    continue
                if not await self._claim(admitted, claimed) and not await self._wait_for_work(admitted):
                    return

    async def _claim(self, admitted: Admitted, claimed: Mapping[Lane, MemoryObjectSendStream[Claimed]]) -> bool:
        batch = await self.claims.take(admitted)
        self.admission.claimed(batch)
        self._left -= len(batch)
        for one in batch:
            await claimed[one.item.lane].send(one)
        return bool(batch)

    async def _wait_for_work(self, admitted: Admitted) -> bool:
        """False when the run has nothing left to do. A live change may come any time, and nothing here ends when it does."""
        if self.claims.held:
            await self.claims.wait_for_room(LONGEST_PAUSE_SECONDS)
            return True
        return admitted.backfill_waits is not None and await self.admission.wait(admitted.backfill_waits)

    async def _settle(self, outcomes: MemoryObjectReceiveStream[Outcome]) -> None:
        pace = self._bench.pace
        open_ = True
        async with outcomes:
            while open_:
                batch, open_ = await gather(outcomes, pace.settle_documents, pace.settle_interval)
                if batch:
                    self._record(await settle(self._bench, batch))
                    for outcome in batch:
                        self._lanes[outcome.item.lane].settled(outcome.item.document_key)
                    self.claims.settled([outcome.item for outcome in batch])

    def _record(self, tallies: dict[int, Tally]) -> None:
        for shard, tally in tallies.items():
            self.tallies.setdefault(shard, Tally()).add(tally)
            if self._options.on_settled is not None:
                self._options.on_settled(tally)
