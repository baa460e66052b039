"""The engine: work items in, published documents out, as one stream with bounded queues.

claim → fetch → chunk → pack → embed → check → COPY → settle. No transaction is open across a source or provider call; a
document is settled as soon as it is whole, however large the backlog. Not here: Dagster, settings, SQL.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio
from anyio import to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.failures import ClassifiedError
from embedding_assets.domain.work import Outcome, PreparedDocument, Tally, total
from embedding_assets.pipeline.claims import Claimed, Claims
from embedding_assets.pipeline.embedding import EmbeddingStage
from embedding_assets.pipeline.reading import read_document
from embedding_assets.pipeline.requesting import RequestCounts, Requester
from embedding_assets.pipeline.settling import settle
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import collections, vectors, work_queue

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

ALL_SHARDS = tuple(range(SHARDS))


@dataclass(slots=True)
class RunOutcome:
    """What a run did. `shards` are those it could lease; `tallies` has those that had work. Seconds are wall time."""

    shards: tuple[int, ...]
    tallies: dict[int, Tally] = field(default_factory=dict[int, Tally])
    requests: RequestCounts = field(default_factory=RequestCounts)
    seconds: float = 0.0

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
        self, shards: Sequence[int] = ALL_SHARDS, *, force: bool = False, max_documents: int | None = None
    ) -> RunOutcome:
        """Drain the queue of these shards, as far as no other run works them.

        `force` prepares and publishes documents even when nothing changed; `max_documents` bounds what is claimed.

        Raises:
            ClassifiedError: a systemic failure, one sentence; everything claimed was released with no attempt spent.
        """
        leased = await self._lease(shards)
        started = time.monotonic()
        stream = _Stream(self._bench, leased, force=force, max_documents=max_documents, on_settled=self._on_settled)
        try:
            if leased:
                await stream.run()
        finally:
            with anyio.CancelScope(shield=True):
                await stream.claims.release_all()
                await self._leave()
        return RunOutcome(tuple(leased), stream.tallies, stream.requester.counts, time.monotonic() - started)

    async def _lease(self, shards: Sequence[int]) -> list[int]:
        bench = self._bench
        async with bench.db.transaction() as tx:
            await vectors.create_table(tx, bench.target.table)
        async with bench.db.transaction() as tx:
            leased = await work_queue.lease_shards(
                tx,
                bench.target.collection_id,
                shards,
                owner=bench.run_id,
                lease_seconds=bench.pace.lease_seconds,
            )
            await work_queue.end_leases_of_others(tx, bench.target.collection_id, leased, owner=bench.run_id)
            return leased

    async def _leave(self) -> None:
        bench = self._bench
        async with bench.db.transaction() as tx:
            await work_queue.free_shards(tx, bench.target.collection_id, owner=bench.run_id)
            if bench.embedder.wire_format is not None:
                await collections.remember_wire_format(tx, bench.target.model_id, bench.embedder.wire_format)


class _Stream:
    """One run's stream: its queues, its tasks, its counts."""

    def __init__(
        self,
        bench: Workbench,
        shards: list[int],
        *,
        force: bool,
        max_documents: int | None,
        on_settled: Callable[[Tally], None] | None,
    ) -> None:
        self._bench = bench
        self._force = force
        self._left = max_documents if max_documents is not None else sys.maxsize
        self._on_settled = on_settled
        self._deadline = time.monotonic() + bench.pace.max_run_seconds
        self._sizes: dict[str, int] = {}
        self.claims = Claims(bench, shards)
        self.requester = Requester(bench)
        self.tallies: dict[int, Tally] = {}

    async def run(self) -> None:
        try:
            async with anyio.create_task_group() as background:
                background.start_soon(self.claims.keep_alive)
                await self._run_in_time()
                background.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise _first_reason(group) from group

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
        claimed_in, claimed_out = anyio.create_memory_object_stream[Claimed](pace.claim_documents)
        prepared_in, prepared_out = anyio.create_memory_object_stream[PreparedDocument](pace.settle_documents)
        outcomes_in, outcomes_out = anyio.create_memory_object_stream[Outcome](pace.settle_documents * 2)
        async with anyio.create_task_group() as stages:
            stages.start_soon(self._take_in, claimed_in)
            for _ in range(pace.fetchers):
                stages.start_soon(self._read, claimed_out.clone(), prepared_in.clone(), outcomes_in.clone())
            stages.start_soon(EmbeddingStage(self._bench, self.requester).run, prepared_out, outcomes_in.clone())
            stages.start_soon(self._settle, outcomes_out)
            for stream in (claimed_out, prepared_in, outcomes_in):
                stream.close()

    async def _take_in(self, claimed: MemoryObjectSendStream[Claimed]) -> None:
        """Claim while there is room, and end when nothing is ready and nothing is under way that could come back."""
        size = self._bench.pace.claim_documents
        async with claimed:
            while self._left > 0 and time.monotonic() < self._deadline:
                room = min(2 * size - len(self.claims.held), size, self._left)
                batch = await self.claims.take(room) if room > 0 else []
                self._left -= len(batch)
                for item in batch:
                    await claimed.send(item)
                if not batch:
                    if not self.claims.held:
                        return
                    await self.claims.wait_for_room()

    async def _read(
        self,
        claimed: MemoryObjectReceiveStream[Claimed],
        prepared: MemoryObjectSendStream[PreparedDocument],
        outcomes: MemoryObjectSendStream[Outcome],
    ) -> None:
        async with claimed, prepared, outcomes:
            async for one in claimed:
                while sum(self._sizes.values()) > self._bench.pace.bytes_in_flight:
                    await self.claims.wait_for_room()
                reading = await to_thread.run_sync(
                    lambda one=one: read_document(self._bench, one.item, one.published, force=self._force)
                )
                if isinstance(reading, PreparedDocument):
                    self._sizes[one.item.document_key] = len(reading.document.content)
                    await prepared.send(reading)
                else:
                    await outcomes.send(reading)

    async def _settle(self, outcomes: MemoryObjectReceiveStream[Outcome]) -> None:
        pace = self._bench.pace
        open_ = True
        async with outcomes:
            while open_:
                batch, open_ = await _gather(outcomes, pace.settle_documents, pace.settle_interval)
                if batch:
                    self._record(await settle(self._bench, batch))
                    for outcome in batch:
                        self._sizes.pop(outcome.item.document_key, None)
                    self.claims.settled([outcome.item for outcome in batch])

    def _record(self, tallies: dict[int, Tally]) -> None:
        for shard, tally in tallies.items():
            self.tallies.setdefault(shard, Tally()).add(tally)
            if self._on_settled is not None:
                self._on_settled(tally)


async def _gather(
    outcomes: MemoryObjectReceiveStream[Outcome], most: int, seconds: float
) -> tuple[list[Outcome], bool]:
    """Up to `most` outcomes, no longer than `seconds` after the first; and whether more may come."""
    batch: list[Outcome] = []
    try:
        batch.append(await outcomes.receive())
        with anyio.move_on_after(seconds):
            while len(batch) < most:
                batch.append(await outcomes.receive())
    except anyio.EndOfStream:
        return batch, False
    return batch, True


def _first_reason(group: BaseException) -> BaseException:
    """The one error that explains a failed run: a classified one before any other, the first before the rest."""
    leaves = _leaves(group)
    classified = [error for error in leaves if isinstance(error, ClassifiedError)]
    return (classified or leaves)[0]


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    group: BaseExceptionGroup[BaseException] = error
    return [leaf for inner in group.exceptions for leaf in _leaves(inner)]
