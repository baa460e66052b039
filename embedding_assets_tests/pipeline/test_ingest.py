"""The main job: what is published, what is sent to the model, and what changes send again."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

from embedding_assets.domain.admitted import Admitted
from embedding_assets.domain.failures import ErrorType
from embedding_assets.domain.work import Unchanged
from embedding_assets.pipeline.claims import Claims
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.search import search_text
from embedding_assets.pipeline.settling import settle
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import corpus, shard_leases, work_queue
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import (
    changed_run,
    on_bench,
    on_bench_and_provider,
    paragraph,
    sync_and_run,
    write_documents,
)
from embedding_assets_tests.support.published import published_chunks, queue_is_empty


def test_every_document_of_a_folder_is_published_whole(database_url: str, tmp_path: Path) -> None:
    texts = write_documents(tmp_path, 12)

    async def body(bench: Workbench) -> None:
        outcome = await sync_and_run(bench)
        assert outcome.total.published == 12
        assert outcome.total.chunks == 36
        assert await queue_is_empty(bench)
        for key, chunks in (await published_chunks(bench)).items():
            assert "\n\n".join(chunk.content for chunk in chunks) == texts[key]
            assert [texts[key][chunk.start : chunk.end] for chunk in chunks] == [chunk.content for chunk in chunks]

    on_bench(database_url, tmp_path, body)


def test_search_finds_the_paragraph_by_its_own_text(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 5)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        best, *_ = await search_text(bench, paragraph(3, 1), k=3)
        assert (best.document_key, best.ordinal) == ("document-003.md", 1)
        assert best.score > 0.999

    on_bench(database_url, tmp_path, body)


def test_a_second_run_finds_nothing_to_do(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 4)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await sync_and_run(bench)
        provider.reset()
        found, tally = await changed_run(bench)
        assert (found.enqueued, tally.settled) == (0, 0)
        assert provider.counters().requests == 0

    on_bench_and_provider(database_url, tmp_path, body)


def test_editing_one_paragraph_sends_only_the_chunk_that_changed(database_url: str, tmp_path: Path) -> None:
    texts = write_documents(tmp_path, 6)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await sync_and_run(bench)
        provider.reset()
        edited = texts["document-002.md"].replace(paragraph(2, 1), paragraph(99, 1))
        (tmp_path / "document-002.md").write_text(edited, encoding="utf-8")
        _, tally = await changed_run(bench)
        assert (tally.published, tally.chunks, tally.chunks_reused) == (1, 3, 2)
        assert provider.counters().inputs == 1
        [best] = await search_text(bench, paragraph(99, 1), k=1)
        assert best.document_key == "document-002.md"
        [gone] = await search_text(bench, paragraph(2, 1), k=1)
        assert gone.score < 0.999

    on_bench_and_provider(database_url, tmp_path, body)


def test_touching_a_file_sends_nothing(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 3)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await sync_and_run(bench)
        provider.reset()
        os.utime(tmp_path / "document-001.md", (1_900_000_000, 1_900_000_000))
        found, tally = await changed_run(bench)
        assert (found.difference.changed, tally.unchanged, tally.published) == (1, 1, 0)
        assert provider.counters().requests == 0

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_deleted_document_is_gone_from_search_and_from_the_store(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 3)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        (tmp_path / "document-001.md").unlink()
        _, tally = await changed_run(bench)
        assert tally.deleted == 1
        keys = {result.document_key for result in await search_text(bench, paragraph(1, 1), k=50)}
        assert keys == {"document-000.md", "document-002.md"}
        async with bench.db.transaction() as tx:
            rows = await tx.execute("SELECT content FROM embedding_assets.documents WHERE deleted_at IS NOT NULL")
            assert await rows.fetchall() == [("",)]

    on_bench(database_url, tmp_path, body)


def test_an_input_that_several_documents_hold_is_sent_once(database_url: str, tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.md").write_text("\n\n".join([paragraph(7, 7), paragraph(number, 1)]), encoding="utf-8")

    async def body(bench: Workbench, provider: Simulator) -> None:
        outcome = await sync_and_run(bench)
        assert outcome.total.published == 5
        assert provider.counters().inputs == 6
        [best] = await search_text(bench, paragraph(7, 7), k=1)
        assert sorted([best.document_key, *[str(place["document_key"]) for place in best.locations]]) == [
            f"{number}.md" for number in range(5)
        ]

    on_bench_and_provider(database_url, tmp_path, body)


def test_batches_are_packed_across_documents(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 16, paragraphs=1)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await sync_and_run(bench)
        assert provider.counters().inputs == 16
        assert provider.counters().requests <= 3

    on_bench_and_provider(database_url, tmp_path, body)


def test_an_empty_document_is_published_without_chunks(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "empty.md").write_text("", encoding="utf-8")

    async def body(bench: Workbench) -> None:
        outcome = await sync_and_run(bench)
        assert (outcome.total.published, outcome.total.chunks) == (1, 0)
        _, tally = await changed_run(bench)
        assert tally.settled == 0

    on_bench(database_url, tmp_path, body)


def test_a_change_during_processing_is_published_too(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 1)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.DELAY, seconds=0.4, times=1)
        await sync_source(bench)
        run = asyncio.create_task(EmbeddingIngestionPipeline(bench).run())
        while provider.counters().requests == 0:  # noqa: ASYNC110 - it is the simulator's process that makes progress
            await asyncio.sleep(0.02)
        (tmp_path / "document-000.md").write_text(paragraph(50, 0), encoding="utf-8")
        await sync_source(bench)
        assert (await run).total.published == 2
        [chunks] = (await published_chunks(bench)).values()
        assert [chunk.content for chunk in chunks] == [paragraph(50, 0)]

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_document_that_cannot_be_read_fails_alone(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 4)
    (tmp_path / "binary.md").write_bytes(b"\xff\xfe\x00broken")

    async def body(bench: Workbench) -> None:
        outcome = await sync_and_run(bench)
        assert outcome.total.published == 4
        assert outcome.total.errors == {ErrorType.UNDECODABLE.value: 1}

    on_bench(database_url, tmp_path, body)


def test_two_runs_never_work_one_shard_at_once(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 8)

    async def body(bench: Workbench) -> None:
        async with bench.db.transaction() as tx:
            taken = await shard_leases.lease_shards(
                tx, bench.target.collection_id, range(8), owner="another run", lease_seconds=60
            )
        outcome = await sync_and_run(bench)
        assert taken == list(range(8))
        assert outcome.shards == tuple(range(8, 16))
        assert set(outcome.tallies) <= set(range(8, 16))

    on_bench(database_url, tmp_path, body)


def test_force_publishes_again_without_asking_the_model(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 3)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await sync_and_run(bench)
        provider.reset()
        async with bench.db.transaction() as tx:
            keys = await corpus.known_keys(tx, bench.target.collection_id, range(16))
            await work_queue.enqueue(
                tx, bench.target.collection_id, [(key, None) for key in keys], lane=work_queue.Lane.BACKFILL
            )
        outcome = await EmbeddingIngestionPipeline(bench).run(force=True)
        assert (outcome.total.published, outcome.total.chunks_reused) == (3, 9)
        assert provider.counters().requests == 0

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_run_that_gets_a_dead_runs_shard_gets_its_items_at_once(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 8)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        dead = Claims(replace(bench, run_id="dead run"), list(range(16)))
        assert len(await dead.take(Admitted(100, 100))) == 8
        outcome = await EmbeddingIngestionPipeline(bench).run()
        assert outcome.total.published == 8
        late = await settle(bench, [Unchanged(item) for item in dead.held.values()])
        assert sum(tally.refused for tally in late.values()) == 8

    on_bench(database_url, tmp_path, body)
