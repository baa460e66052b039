"""When the HNSW index is built: once, after the load, when there is enough to search."""

from pathlib import Path

from embedding_assets.pipeline.indexing import ensure_index
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import vectors, work_queue
from embedding_assets_tests.support.benches import on_bench, sync_and_run, write_documents


def test_the_index_is_built_once_after_the_load(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 10)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        assert not (await ensure_index(bench, at_least_rows=31)).built
        assert (await ensure_index(bench, at_least_rows=30)).built
        assert not (await ensure_index(bench, at_least_rows=30)).built
        async with bench.db.transaction() as tx:
            assert (await vectors.table_facts(tx, bench.target.table)).index_valid

    on_bench(database_url, tmp_path, body)


def test_no_index_is_built_while_much_of_the_load_is_still_to_come(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 10)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        for number in range(10):
            (tmp_path / f"more-{number}.md").write_text(f"one more, number {number}", encoding="utf-8")
        await sync_source(bench)
        async with bench.db.transaction() as tx:
            await work_queue.fold(tx, bench.target.collection_id)
        assert not (await ensure_index(bench, at_least_rows=30)).built
        await sync_and_run(bench)
        assert (await ensure_index(bench, at_least_rows=30)).built

    on_bench(database_url, tmp_path, body)
