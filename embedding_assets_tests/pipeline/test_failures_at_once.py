"""Workers that fail, producers, the mover of retries, people and the notifier at once: no document is lost, none is done twice."""

import asyncio
from pathlib import Path

from typing_extensions import LiteralString

from embedding_assets.domain.failures import ErrorType, FailureStatus
from embedding_assets.domain.work import Lane, Unchanged
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.promises import count_missed
from embedding_assets.pipeline.reprocessing import dismiss, requeue_due, retry
from embedding_assets.pipeline.settling import settle
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import source_listings, triage, work_queue
from embedding_assets.store.triage import RETRYABLE, FailureFilter
from embedding_assets_tests.support.benches import another_worker, on_bench, sync_and_run, write_documents
from embedding_assets_tests.support.failed import attempts_recorded, claim_all, failed_rows, failure, make_due
from embedding_assets_tests.support.published import queue_is_empty

_TURNS = 60
_SAID_TO_BE_QUEUED_BUT_NOT = """
    SELECT f.document_key FROM embedding_assets.failed_documents AS f
    WHERE f.status = 'queued'
      AND NOT EXISTS (SELECT FROM embedding_assets.work_items AS w WHERE w.document_key = f.document_key)
      AND NOT EXISTS (SELECT FROM embedding_assets.work_arrivals AS a WHERE a.document_key = f.document_key)
"""
_PROMISED_BUT_IN_NOBODYS_HANDS = """
    SELECT o.document_key FROM embedding_assets.obligations AS o
    WHERE NOT EXISTS (SELECT FROM embedding_assets.work_items AS w WHERE w.document_key = o.document_key)
      AND NOT EXISTS (SELECT FROM embedding_assets.failed_documents AS f
                      WHERE f.document_key = o.document_key AND f.status IN ('retrying', 'queued', 'escalated'))
"""


class _Storm:
    """Everybody who changes failed documents, each in a task of its own until the producer ends."""

    def __init__(self, bench: Workbench, keys: list[str]) -> None:
        self._bench = bench
        self._keys = keys
        self._producing = True
        self.failed = 0

    async def run(self) -> None:
        await asyncio.gather(
            self._produce(), *(self._work(f"worker-{n}") for n in range(3)), self._meddle(), self._meddle()
        )

    async def _produce(self) -> None:
        for turn in range(_TURNS):
            async with self._bench.db.transaction() as tx:
                now = await source_listings.server_time(tx)
                changes = [(key, now) for key in self._keys[turn % 3 :: 3]]
                await work_queue.enqueue(tx, self._bench.target.collection_id, changes, lane=Lane.LIVE)
            await asyncio.sleep(0.005)
        self._producing = False

    async def _work(self, name: str) -> None:
        mine, turn = another_worker(self._bench, name), 0
        while self._producing:
            turn += 1
            claimed = await claim_all(mine)
            await asyncio.sleep(0.01)
            outcomes = [
                Unchanged(item) if (place + turn) % 4 == 0 else failure(item, ErrorType.UNDECODABLE)
                for place, item in enumerate(claimed)
            ]
            tallies = await settle(mine, outcomes)
            self.failed += sum(tally.failed for tally in tallies.values())

    async def _meddle(self) -> None:
        turn = 0
        while self._producing:
            turn += 1
            await make_due(self._bench)
            await requeue_due(self._bench)
            async with self._bench.db.transaction() as tx:
                found = await triage.find(tx, FailureFilter(RETRYABLE))
            await (dismiss if turn % 3 == 0 else retry)(self._bench.db, found[::2])
            async with self._bench.db.transaction() as tx:
                untold = await triage.untold(tx, self._bench.target.collection_id, documents=5)
                await triage.mark_told(tx, self._bench.target.collection_id, untold)
                await tx.execute("UPDATE embedding_assets.collections SET freshness_seconds = 0.05")
            await count_missed(self._bench.db)


async def _rows(bench: Workbench, query: LiteralString) -> list[tuple[object, ...]]:
    async with bench.db.transaction() as tx:
        return list(await (await tx.execute(query)).fetchall())


def test_whoever_meets_over_failed_documents_loses_none_of_them(database_url: str, tmp_path: Path) -> None:
    keys = list(write_documents(tmp_path, 12))

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        storm = _Storm(bench, keys)
        await storm.run()
        assert await attempts_recorded(bench) == storm.failed > 0
        assert await _rows(bench, _SAID_TO_BE_QUEUED_BUT_NOT) == []
        assert await _rows(bench, _PROMISED_BUT_IN_NOBODYS_HANDS) == []
        async with bench.db.transaction() as tx:
            everything = await triage.find(tx, FailureFilter(tuple(FailureStatus)))
        await retry(bench.db, everything)
        await EmbeddingIngestionPipeline(bench).run()
        assert {row.status for row in await failed_rows(bench)} == {"resolved"}
        assert await queue_is_empty(bench)

    on_bench(database_url, tmp_path, body)
