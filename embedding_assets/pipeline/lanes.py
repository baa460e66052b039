"""One lane of a run, from its claims to their outcomes: fetched and chunked in threads, then embedded.

Each lane has queues, readers and batches of its own, so that a live change never stands behind backfill; they meet again at
the limit, at the provider (places) and in settle. In one queue for both, 300 changes beside a backfill of 100,000 documents
waited 15.6 s at the median, 39.5 s at p95 and 53.7 s at most under a limit of 315 requests a minute.
Not here: claiming, settling (ingest).
"""

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from embedding_assets.domain.work import Outcome, PreparedDocument, Release
from embedding_assets.pipeline.claims import Claimed, Claims
from embedding_assets.pipeline.embedding import EmbeddingStage
from embedding_assets.pipeline.reading import read_in_time
from embedding_assets.pipeline.requesting import Requester
from embedding_assets.pipeline.workbench import Workbench


class LaneStream:
    """One lane of one run. `force`: documents are prepared even when nothing changed."""

    def __init__(self, bench: Workbench, claims: Claims, requester: Requester, *, force: bool) -> None:
        self._bench = bench
        self._claims = claims
        self._requester = requester
        self._force = force
        self._sizes: dict[str, int] = {}

    async def run(self, claimed: MemoryObjectReceiveStream[Claimed], outcomes: MemoryObjectSendStream[Outcome]) -> None:
        """Until `claimed` ends and everything in it came to its outcome."""
        pace = self._bench.pace
        prepared_in, prepared_out = anyio.create_memory_object_stream[PreparedDocument](pace.settle_documents)
        async with anyio.create_task_group() as stages, claimed, prepared_in, outcomes:
            for _ in range(pace.fetchers):
                stages.start_soon(self._read, claimed.clone(), prepared_in.clone(), outcomes.clone())
            stages.start_soon(EmbeddingStage(self._bench, self._requester).run, prepared_out, outcomes.clone())

    def settled(self, document_key: str) -> None:
        """It is no longer in memory."""
        self._sizes.pop(document_key, None)

    async def _read(
        self,
        claimed: MemoryObjectReceiveStream[Claimed],
        prepared: MemoryObjectSendStream[PreparedDocument],
        outcomes: MemoryObjectSendStream[Outcome],
    ) -> None:
        async with claimed, prepared, outcomes:
            async for one in claimed:
                while sum(self._sizes.values()) > self._bench.pace.bytes_in_flight:
                    await self._claims.wait_for_room()
                if not self._claims.begin(one.item):
                    continue
                if self._requester.stopped_by is not None:
                    await outcomes.send(Release(one.item))
                    continue
                reading = await read_in_time(self._bench, one.item, one.published, force=self._force)
                if isinstance(reading, PreparedDocument):
                    self._sizes[one.item.document_key] = len(reading.document.content)
                    await prepared.send(reading)
                else:
                    await outcomes.send(reading)
