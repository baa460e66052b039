"""A document deleted at its source while somebody processes it: it is gone in the end, whoever comes late."""

import asyncio
from dataclasses import replace
from pathlib import Path

from embedding_assets.domain.work import Outcome, PreparedDocument, Publish, Tally, total
from embedding_assets.pipeline.claims import Admitted, Claims
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.reading import read_document
from embedding_assets.pipeline.settling import settle
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import on_bench, on_bench_and_provider, sync_and_run, write_documents
from embedding_assets_tests.support.published import published_chunks

_KEY = "document-000.md"


def test_a_deletion_while_its_text_is_embedded_wins(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 1)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.DELAY, seconds=0.4, times=1)
        await sync_source(bench)
        run = asyncio.create_task(EmbeddingIngestionPipeline(bench).run())
        while provider.counters().requests == 0:  # noqa: ASYNC110 - it is the simulator's process that makes progress
            await asyncio.sleep(0.02)
        (tmp_path / _KEY).unlink()
        await sync_source(bench)
        done = (await run).total
        assert (done.published, done.deleted, done.failed) == (1, 1, 0)
        assert await published_chunks(bench) == {}

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_worker_that_read_the_text_and_comes_back_after_the_deletion_brings_nothing_back(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 1, paragraphs=1)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        late = replace(bench, run_id="late")
        read = await _claim_and_read(late)
        (tmp_path / _KEY).unlink()
        await sync_source(bench)
        await _end_leases(bench)
        assert (await EmbeddingIngestionPipeline(bench).run()).total.deleted == 1
        settled = await _settle(late, read)
        assert (settled.published, settled.refused) == (0, 1)
        assert await published_chunks(bench) == {}

    on_bench(database_url, tmp_path, body)


def test_a_worker_that_found_it_missing_and_comes_back_late_deletes_nothing_that_came_again(
    database_url: str, tmp_path: Path
) -> None:
    texts = write_documents(tmp_path, 1, paragraphs=1)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        (tmp_path / _KEY).unlink()
        await sync_source(bench)
        late = replace(bench, run_id="late")
        missing = await _claim_and_read(late)
        (tmp_path / _KEY).write_text(texts[_KEY], encoding="utf-8")
        await sync_source(bench)
        await _end_leases(bench)
        await EmbeddingIngestionPipeline(bench).run()
        settled = await _settle(late, missing)
        assert (settled.deleted, settled.refused) == (0, 1)
        assert set(await published_chunks(bench)) == {_KEY}

    on_bench(database_url, tmp_path, body)


async def _claim_and_read(bench: Workbench) -> Outcome:
    [claimed] = await Claims(bench, list(range(16))).take(Admitted(10, 10))
    read = read_document(bench, claimed.item, claimed.published, force=False)
    return Publish(read, embedded=0) if isinstance(read, PreparedDocument) else read


async def _settle(bench: Workbench, outcome: Outcome) -> Tally:
    return total((await settle(bench, [outcome])).values())


async def _end_leases(bench: Workbench) -> None:
    async with bench.db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.work_items SET available_at = clock_timestamp()")
