"""From prepared documents to documents whose every input has a vector: batches packed across documents.

An input is sent once, however many documents of the lane hold it; a document leaves when its last input is stored.
"""

import time
from dataclasses import dataclass, field

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from embedding_assets.domain.failures import ProviderError
from embedding_assets.domain.packing import Packer
from embedding_assets.domain.work import Fail, Outcome, PreparedDocument, Publish, Release, Stage
from embedding_assets.pipeline.isolating import InputResult, Isolator
from embedding_assets.pipeline.requesting import Input, Requester
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import vectors

# Prepared documents whose inputs are looked up in one query.
_LOOKUP_DOCUMENTS = 64


# Compared by identity: one is put under every input it waits for.
@dataclass(slots=True, eq=False)
class _Pending:
    prepared: PreparedDocument
    waiting_for: set[bytes]
    since: float
    sent: int = 0
    throttled_seconds: float = 0.0
    error: ProviderError | None = None
    held_back: bool = False


@dataclass(slots=True)
class _Waiting:
    """Who waits for which input; and what was stored since the last look-up began, which that look-up may have missed."""

    documents: dict[bytes, list[_Pending]] = field(default_factory=dict[bytes, list[_Pending]])
    stored: set[bytes] = field(default_factory=set[bytes])

    def resolve(self, result: InputResult) -> list[Outcome]:
        """Documents that were waiting for nothing else."""
        ended: list[Outcome] = []
        if result.error is None and result.held_back is None:
            self.stored.add(result.input_hash)
        for pending in self.documents.pop(result.input_hash, []):
            pending.waiting_for.discard(result.input_hash)
            pending.error = pending.error or result.error
            pending.held_back = pending.held_back or result.held_back is not None
            # Batches wait beside one another: the longest is what kept the document.
            pending.throttled_seconds = max(pending.throttled_seconds, result.throttled_seconds)
            if not pending.waiting_for:
                ended.append(_outcome(pending))
        return ended


def _outcome(pending: _Pending) -> Outcome:
    if pending.error is not None:
        return Fail(pending.prepared.item, pending.error, Stage.EMBEDDING)
    if pending.held_back:
        return Release(pending.prepared.item)
    now = time.monotonic()
    return Publish(pending.prepared, pending.sent, now - pending.since, pending.throttled_seconds, embedded_at=now)


class EmbeddingStage:
    """One lane's embedding step. Everything but the provider's call happens on the event loop, so no lock is needed."""

    def __init__(self, bench: Workbench, requester: Requester) -> None:
        self._bench = bench
        self._isolator = Isolator(bench, requester)
        self._waiting = _Waiting()
        self._packer = Packer[Input](bench.target.caps)

    async def run(
        self, prepared: MemoryObjectReceiveStream[PreparedDocument], outcomes: MemoryObjectSendStream[Outcome]
    ) -> None:
        """Until `prepared` ends and its last input came back."""
        send, receive = anyio.create_memory_object_stream[list[Input]](0)
        async with outcomes, anyio.create_task_group() as group:
            for _ in range(self._bench.pace.requests_at_once):
                group.start_soon(self._send_batches, receive.clone(), outcomes)
            receive.close()
            async with send, prepared:
                await self._pack(prepared, send, outcomes)

    async def _pack(
        self,
        prepared: MemoryObjectReceiveStream[PreparedDocument],
        batches: MemoryObjectSendStream[list[Input]],
        outcomes: MemoryObjectSendStream[Outcome],
    ) -> None:
        open_ = True
        while open_:
            documents, open_ = await _next_documents(prepared, self._bench.pace.batch_linger)
            full, ready = await self._admit(documents)
            if not documents:
                full = [self._packer.flush()]
            for outcome in ready:
                await outcomes.send(outcome)
            for batch in full:
                if batch:
                    await batches.send(batch)
        rest = self._packer.flush()
        if rest:
            await batches.send(rest)

    async def _admit(self, documents: list[PreparedDocument]) -> tuple[list[list[Input]], list[Outcome]]:
        """Full batches, and documents that need nothing from the provider."""
        since = time.monotonic()
        missing = await self._look_up({chunk.input_hash for document in documents for chunk in document.chunks})
        full: list[list[Input]] = []
        ready: list[Outcome] = []
        for document in documents:
            needed = {chunk.input_hash for chunk in document.chunks} & missing
            pending = _Pending(document, needed, since)
            if not needed:
                ready.append(_outcome(pending))
            full += self._queue_inputs(pending)
        return full, ready

    async def _look_up(self, hashes: set[bytes]) -> set[bytes]:
        if not hashes:
            return set()
        self._waiting.stored.clear()
        table = self._bench.target.table
        missing = await self._bench.db.atomically(lambda tx: vectors.missing_inputs(tx, table, list(hashes)))
        return missing - self._waiting.stored

    def _queue_inputs(self, pending: _Pending) -> list[list[Input]]:
        full: list[list[Input]] = []
        lane = pending.prepared.item.lane
        for chunk in pending.prepared.chunks:
            if chunk.input_hash not in pending.waiting_for:
                continue
            others = self._waiting.documents.setdefault(chunk.input_hash, [])
            if pending in others:
                continue
            others.append(pending)
            if len(others) == 1:
                pending.sent += 1
                batch = self._packer.add(Input(chunk.input_hash, chunk.input_text, chunk.tokens, lane), chunk.tokens)
                if batch:
                    full.append(batch)
        return full

    async def _send_batches(
        self, batches: MemoryObjectReceiveStream[list[Input]], outcomes: MemoryObjectSendStream[Outcome]
    ) -> None:
        async with batches:
            async for batch in batches:
                for result in await self._isolator.embed(batch):
                    for outcome in self._waiting.resolve(result):
                        await outcomes.send(outcome)


async def _next_documents(
    prepared: MemoryObjectReceiveStream[PreparedDocument], linger: float
) -> tuple[list[PreparedDocument], bool]:
    """What is there now, at most `_LOOKUP_DOCUMENTS`, waiting `linger` for the first; and whether more may come."""
    documents: list[PreparedDocument] = []
    try:
        with anyio.move_on_after(linger):
            documents.append(await prepared.receive())
        while documents and len(documents) < _LOOKUP_DOCUMENTS:
            documents.append(prepared.receive_nowait())
    except anyio.WouldBlock:
        return documents, True
    except anyio.EndOfStream:
        return documents, False
    return documents, True
