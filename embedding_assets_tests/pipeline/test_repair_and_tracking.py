"""Work asked for by hand: repair of vectors, a second look at documents, another chunker."""

from dataclasses import replace
from pathlib import Path

from psycopg import sql

from embedding_assets.domain.chunking import ChunkingStrategy
from embedding_assets.pipeline.ingest import ALL_SHARDS, EmbeddingIngestionPipeline
from embedding_assets.pipeline.repair import repair_vectors
from embedding_assets.pipeline.reprocessing import requeue_due
from embedding_assets.pipeline.tracking import queue_changed, queue_stale, retrack
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import (
    DIMENSIONS,
    on_bench,
    on_bench_and_provider,
    paragraph,
    sync_and_run,
    write_documents,
)
from embedding_assets_tests.support.failed import failed_rows
from embedding_assets_tests.support.published import queue_is_empty, stored_vectors


async def _on_vectors(bench: Workbench, statement: str) -> None:
    table = sql.Identifier("embedding_assets", bench.target.table.name)
    async with bench.db.transaction() as tx:
        await tx.execute(sql.SQL(statement).format(table))  # pyright: ignore[reportArgumentType] literals of this file


def test_lost_and_zeroed_vectors_are_made_again_without_touching_the_source(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 10)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await sync_and_run(bench)
        before = await stored_vectors(bench)
        await _on_vectors(bench, "DELETE FROM {} WHERE input_hash < '\\x40'")
        await _on_vectors(bench, f"UPDATE {{}} SET embedding = '{[0] * DIMENSIONS}' WHERE input_hash > '\\xc0'")
        tmp_path.rename(tmp_path.with_name("gone"))  # noqa: ASYNC240 - a rename does not block a test
        provider.reset()
        outcome = await repair_vectors(bench, ALL_SHARDS)
        assert outcome.repaired == provider.counters().inputs > 0
        assert await stored_vectors(bench) == before

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_repair_the_provider_refuses_ends_and_says_so(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 2)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await sync_and_run(bench)
        await _on_vectors(bench, "DELETE FROM {}")
        provider.fault(FaultKind.NAN, marker=paragraph(1, 1)[:40])
        outcome = await repair_vectors(bench, ALL_SHARDS)
        assert (outcome.repaired, outcome.refused) == (5, {"non_finite": 1})

    on_bench_and_provider(database_url, tmp_path, body)


def test_retracking_looks_at_every_document_and_asks_the_model_nothing(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 6)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await sync_and_run(bench)
        provider.reset()
        assert await retrack(bench, ALL_SHARDS) == 6
        outcome = await EmbeddingIngestionPipeline(bench).run()
        assert outcome.total.unchanged == 6
        assert provider.counters().requests == 0

    on_bench_and_provider(database_url, tmp_path, body)


def test_another_chunk_size_makes_documents_stale_and_only_moved_inputs_are_embedded(
    database_url: str, tmp_path: Path
) -> None:
    for number in range(4):
        short_then_long = paragraph(number, 0) + "\n\n" + paragraph(number, 1) + " " + paragraph(number, 2)
        (tmp_path / f"{number}.md").write_text(short_then_long, encoding="utf-8")

    async def body(bench: Workbench, provider: Simulator) -> None:
        await sync_and_run(bench)
        provider.reset()
        other = replace(bench, target=replace(bench.target, chunking=ChunkingStrategy(size=230, overlap=0)))
        async with bench.db.transaction() as tx:
            await tx.execute(
                "UPDATE embedding_assets.collections SET chunker_fingerprint = %s", [other.target.chunking.fingerprint]
            )
        assert await queue_stale(other, ALL_SHARDS) == 4
        outcome = await EmbeddingIngestionPipeline(other).run()
        assert (outcome.total.published, outcome.total.chunks_reused) == (4, 4)
        assert provider.counters().inputs == outcome.total.chunks - 4
        assert await queue_stale(other, ALL_SHARDS) == 0

    on_bench_and_provider(database_url, tmp_path, body)


def test_comparing_the_source_queues_only_what_differs(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 5)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        (tmp_path / "document-002.md").write_text("another text", encoding="utf-8")
        (tmp_path / "document-003.md").unlink()
        assert await queue_changed(bench, ALL_SHARDS) == 2
        outcome = await EmbeddingIngestionPipeline(bench).run()
        assert (outcome.total.published, outcome.total.deleted) == (1, 1)

    on_bench(database_url, tmp_path, body)


def test_a_document_whose_retry_is_due_goes_back_to_the_queue_once(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 3)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.NAN, marker=paragraph(1, 1)[:40])
        await sync_and_run(bench)
        assert [(row.status, row.attempts) for row in await failed_rows(bench)] == [("retrying", 1)]
        assert await requeue_due(bench) == 0
        async with bench.db.transaction() as tx:
            await tx.execute("UPDATE embedding_assets.failed_documents SET next_retry_at = clock_timestamp()")
        assert (await requeue_due(bench), await requeue_due(bench)) == (1, 0)
        provider.reset()
        assert (await EmbeddingIngestionPipeline(bench).run()).total.published == 1
        assert [row.status for row in await failed_rows(bench)] == ["resolved"]
        assert await queue_is_empty(bench)

    on_bench_and_provider(database_url, tmp_path, body)
