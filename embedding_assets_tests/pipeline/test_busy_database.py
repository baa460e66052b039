"""Another session in the way of a settle: for a moment, on one document for long, on all of them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict

from embedding_assets.domain.failures import ErrorType, StoreError
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets_tests.support.benches import on_bench, sync_and_run, write_documents
from embedding_assets_tests.support.database import waiting_for_a_lock
from embedding_assets_tests.support.failed import attempts_recorded, failed_rows
from embedding_assets_tests.support.published import queue_is_empty


def set_lock_timeout(database_url: str, milliseconds: int) -> None:
    """For every connection to this database from now on."""
    name = sql.Identifier(str(conninfo_to_dict(database_url)["dbname"]))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} SET lock_timeout = {}").format(name, milliseconds))


@asynccontextmanager
async def holding(bench: Workbench, document_keys: list[str]) -> AsyncGenerator[AsyncConnection, None]:
    """Another session that has changed these published documents and does not commit."""
    async with await AsyncConnection.connect(bench.db.url) as other:
        touch = "UPDATE embedding_assets.publications SET chunks = chunks WHERE document_key = ANY(%s)"
        assert (await other.execute(touch, [document_keys])).rowcount == len(document_keys)
        yield other
        await other.rollback()


def _rewrite(folder: Path, count: int) -> list[str]:
    keys = list(write_documents(folder, count))
    for key in keys:
        path = folder / key
        path.write_text(f"Changed since. {path.read_text(encoding='utf-8')}", encoding="utf-8")
    return keys


def test_a_deadlock_with_another_session_is_over_when_the_settle_is_tried_again(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 6)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        _rewrite(tmp_path, 6)
        await sync_source(bench)
        async with holding(bench, ["document-003.md"]) as other:
            await other.execute("SET deadlock_timeout = '60s'")  # so that it is always the settle that is chosen
            run = asyncio.create_task(EmbeddingIngestionPipeline(bench).run())
            await waiting_for_a_lock(bench.db)
            await other.execute("UPDATE embedding_assets.work_items SET available_at = available_at")
            await other.rollback()
            outcome = await run
        assert (outcome.total.published, await attempts_recorded(bench)) == (6, 0)
        assert await queue_is_empty(bench)

    on_bench(database_url, tmp_path, body)


def test_a_document_that_another_session_holds_fails_alone_and_is_tried_again_later(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 6)
    set_lock_timeout(database_url, 20)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        _rewrite(tmp_path, 6)
        async with holding(bench, ["document-003.md"]):
            outcome = await sync_and_run(bench)
        assert (outcome.total.published, outcome.total.errors) == (5, {"database_busy": 1})
        [row] = await failed_rows(bench)
        assert (row.document_key, row.status, row.attempts) == ("document-003.md", "retrying", 1)

    on_bench(database_url, tmp_path, body)


def test_documents_that_are_all_held_charge_none_of_them(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 4)
    set_lock_timeout(database_url, 20)

    async def body(bench: Workbench) -> None:
        await sync_and_run(bench)
        keys = _rewrite(tmp_path, 4)
        await sync_source(bench)
        together = replace(bench, pace=replace(bench.pace, settle_documents=4, settle_interval=20))
        async with holding(bench, keys):
            with pytest.raises(StoreError, match="another session was in the way") as raised:
                await EmbeddingIngestionPipeline(together).run()
        assert raised.value.error_type is ErrorType.DATABASE_BUSY
        assert (await failed_rows(bench), await attempts_recorded(bench)) == ([], 0)
        assert (await EmbeddingIngestionPipeline(bench).run()).total.published == 4

    on_bench(database_url, tmp_path, body)
