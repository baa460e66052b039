"""A collection that is removed while somebody works on it, or still believes that it is there."""

from pathlib import Path

import pytest

from embedding_assets.domain.failures import ClassifiedError, ErrorType
from embedding_assets.domain.work import PreparedDocument, Publish
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.reading import read_document
from embedding_assets.pipeline.removing import NotRemovable, remove_collection, what_there_is
from embedding_assets.pipeline.search import search_text
from embedding_assets.pipeline.settling import settle
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import collection_removal, collections, shard_leases, vectors
from embedding_assets_tests.support.benches import on_bench, sync_and_run, write_documents
from embedding_assets_tests.support.collections import collection_settings
from embedding_assets_tests.support.failed import claim_all, edit


async def _lease(bench: Workbench, seconds: float) -> list[int]:
    async with bench.db.transaction() as tx:
        collection_id = bench.target.collection_id
        return await shard_leases.lease_shards(tx, collection_id, [3, 4], owner=bench.run_id, lease_seconds=seconds)


async def _count(bench: Workbench, table: str) -> int:
    async with bench.db.transaction() as tx:
        row = await (await tx.execute(f"SELECT count(*) FROM embedding_assets.{table}".encode())).fetchone()
        return row[0] if row else -1


def test_a_run_that_holds_a_shard_is_named_and_nothing_is_removed(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 3)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        assert await _lease(bench, 60) == [3, 4]
        with pytest.raises(NotRemovable, match=r"worked on by test-run: pause it .* lease ends"):
            await remove_collection(bench.db, "docs")
        assert await _count(bench, "documents") == 3

    on_bench(database_url, tmp_path, body)


def test_a_run_that_comes_late_works_nothing_and_search_says_so(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 3)

    async def body(bench: Workbench) -> None:
        await sync_source(bench)
        await remove_collection(bench.db, "docs")
        with pytest.raises(ClassifiedError, match="was removed since this run began"):
            await EmbeddingIngestionPipeline(bench).run()
        with pytest.raises(ClassifiedError, match="got another model"):
            await search_text(bench, "anything")
        async with bench.db.transaction() as tx:
            assert not (await vectors.table_facts(tx, bench.target.table)).exists

    on_bench(database_url, tmp_path, body)


def test_a_hung_run_whose_lease_ended_publishes_nothing_into_a_collection_that_is_going(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 1)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        await edit(bench, tmp_path)
        [item] = await claim_all(bench)
        prepared = read_document(bench, item, None, force=True)
        assert isinstance(prepared, PreparedDocument)
        assert await _lease(bench, 0) == [3, 4]
        await remove_collection(bench.db, "docs")
        with pytest.raises(ClassifiedError, match="was removed since this run began") as caught:
            await settle(bench, [Publish(prepared, embedded=0)])
        assert caught.value.error_type is ErrorType.MODEL_REPLACED
        assert await _count(bench, "chunks") == 0

    on_bench(database_url, tmp_path, body)


def test_what_an_interrupted_removal_left_is_finished_beside_a_new_collection_of_that_name(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 2)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        async with bench.db.transaction() as tx:
            await collection_removal.take_name(tx, bench.target.collection_id)
            await collections.apply(tx, collection_settings("docs", bench.target.model))
            again = await collections.find(tx, "docs")
        assert await _lease(bench, 60) == []
        assert await what_there_is(bench.db, "other") is None
        left = await what_there_is(bench.db, "docs", only_left=True)
        assert left is not None
        assert (left.documents, left.chunks, left.models) == (2, 6, 1)
        await remove_collection(bench.db, "docs", only_left=True)
        assert await _count(bench, "documents") == 0
        async with bench.db.transaction() as tx:
            assert await collections.find(tx, "docs") == again
        await remove_collection(bench.db, "docs")
        assert await _count(bench, "collections") == 0

    on_bench(database_url, tmp_path, body)
