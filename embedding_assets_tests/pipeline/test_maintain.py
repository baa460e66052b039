"""Upkeep beside work: nothing that is published, or about to be, loses its vector."""

import asyncio
from dataclasses import replace
from pathlib import Path

from embedding_assets.domain.models import input_hash
from embedding_assets.domain.work import Publish, total
from embedding_assets.pipeline.claims import Admitted, Claims
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.maintain import UpkeepOutcome, maintain
from embedding_assets.pipeline.reading import read_document
from embedding_assets.pipeline.settling import settle
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import inspection, vectors, work_queue
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import on_bench, on_bench_and_provider, sync_and_run, write_documents
from embedding_assets_tests.support.failed import attempts_recorded


async def _purge(bench: Workbench) -> UpkeepOutcome:
    return await maintain(bench, grace_seconds=0)


def test_what_deleted_documents_held_stays_for_the_grace_and_goes_at_a_purge(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 5, paragraphs=2)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        (tmp_path / "document-003.md").unlink()
        await sync_and_run(bench)
        kept = await maintain(bench, grace_seconds=3600)
        assert (kept.deleted, kept.in_grace) == (0, 2)
        purged = await _purge(bench)
        assert (purged.deleted, purged.kept, purged.in_grace) == (2, 0, 0)
        async with bench.db.transaction() as tx:
            assert await vectors.count_vectors(tx, bench.target.table) == 8

    on_bench(database_url, tmp_path, body)


def test_a_vector_collected_between_its_storing_and_its_settle_is_made_again(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 1, paragraphs=1)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await sync_and_run(bench)
        (tmp_path / "document-000.md").write_text("Another text altogether.", encoding="utf-8")
        await sync_source(bench)
        late = replace(bench, run_id="late")
        [claimed] = await Claims(late, list(range(16))).take(Admitted(10, 10))
        read = read_document(late, claimed.item, claimed.published, force=False)
        [reply] = [await bench.embedder.embed(["Another text altogether."])]
        async with bench.db.transaction() as tx:
            await vectors.store_vectors(tx, bench.target.table, [input_hash("Another text altogether.")], reply.vectors)
        assert (await _purge(bench)).deleted == 1
        settled = total((await settle(late, [Publish(read, embedded=1)])).values())  # pyright: ignore[reportArgumentType]
        assert (settled.published, settled.released, settled.failed) == (0, 1, 0)
        before = provider.counters().inputs
        assert (await EmbeddingIngestionPipeline(bench).run()).total.published == 1
        assert provider.counters().inputs - before == 1

    on_bench_and_provider(database_url, tmp_path, body)


def test_purging_beside_edits_leaves_every_published_input_its_vector(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 30)

    async def edits(bench: Workbench) -> None:
        for round_ in range(6):
            for number in range(30):
                # Half the paragraphs go back to a text that was dropped a round ago, and so is about to be collected.
                text = f"Document {number} in state {(round_ + number) % 2} says so here. ".ljust(110, ".")
                (tmp_path / f"document-{number:03}.md").write_text(f"{text}\n\nIts number is {number}.", "utf-8")
            await sync_source(bench)
            while True:
                await EmbeddingIngestionPipeline(bench).run()
                async with bench.db.transaction() as tx:
                    if not await work_queue.has_ready_work(tx, bench.target.collection_id, range(16)):
                        break

    async def purges(bench: Workbench) -> int:
        deleted = 0
        while True:
            try:
                deleted += (await _purge(bench)).deleted
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                return deleted

    async def body(bench: Workbench) -> None:
        purging = asyncio.create_task(purges(bench))
        await edits(bench)
        purging.cancel()
        assert await purging > 0
        async with bench.db.transaction() as tx:
            problems = await inspection.stored_problems(tx, bench.target.table)
        assert (problems.inputs_without_vector, problems.orphaned_chunks) == (0, 0)
        assert await attempts_recorded(bench) == 0

    on_bench(database_url, tmp_path, body)
