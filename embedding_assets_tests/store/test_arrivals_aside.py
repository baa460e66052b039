"""A producer never waits for us: what it tells while we hold our tables is put aside, and folded when we let go."""

from collections.abc import Generator
from contextlib import contextmanager

import anyio
import psycopg
import pytest
from psycopg import Connection, sql
from typing_extensions import LiteralString

from embedding_assets.store import work_queue
from embedding_assets.store.database import Database
from embedding_assets.store.producer import enqueue
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import on_database, waiting_for_a_lock
from embedding_assets_tests.support.queue import items, obligations

_OURS = ("work_arrivals", "arrivals_aside", "collections")
# The strongest lock there is: ALTER TABLE, DROP, TRUNCATE and VACUUM FULL take it.
_LOCK: LiteralString = "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE"


@contextmanager
def _application(url: str) -> Generator[Connection, None, None]:
    """An application to which any wait for a lock is an error."""
    with psycopg.connect(url, options="-c lock_timeout=1ms") as connection:
        yield connection


@contextmanager
def _locked(url: str, *tables: str) -> Generator[None, None, None]:
    with psycopg.connect(url) as migration:
        for table in tables:
            migration.execute(sql.SQL(_LOCK).format(sql.Identifier("embedding_assets", table)))
        yield


async def _folded(db: Database, collection_id: int) -> int:
    async with db.transaction() as tx:
        return (await work_queue.fold(tx, collection_id)).arrivals


@pytest.mark.parametrize("tables", [("work_arrivals",), ("collections",), ("work_arrivals", "collections")])
@on_database
async def test_what_is_told_while_our_tables_are_locked_is_folded_afterwards(
    db: Database, tables: tuple[str, ...]
) -> None:
    docs = await make_collection(db)
    await make_collection(db, "others")
    with _locked(db.url, *tables), _application(db.url) as application:
        enqueue(application, "docs", ["a", "b"])
        enqueue(application, "others", "c")
    async with db.transaction() as tx:
        assert await work_queue.has_ready_work(tx, docs.id, range(16))
    assert await _folded(db, docs.id) == 2
    async with db.transaction() as tx:
        assert sorted(await items(tx, docs)) == ["a", "b"]
    assert await _folded(db, docs.id) == 0


@on_database
async def test_a_migration_that_waits_for_its_lock_holds_nobody_up(db: Database) -> None:
    docs = await make_collection(db)

    async def migrate() -> None:
        async with db.transaction() as tx:
            await tx.execute("LOCK TABLE embedding_assets.work_arrivals IN ACCESS EXCLUSIVE MODE")

    with psycopg.connect(db.url) as open_for_long, _application(db.url) as other:
        enqueue(open_for_long, "docs", "a")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(migrate)
            await waiting_for_a_lock(db)
            enqueue(other, "docs", "b")
            other.commit()
            # Whoever had the table before keeps it: the second statement of its transaction waits no more than the first.
            open_for_long.execute("SET lock_timeout = '1ms'")
            enqueue(open_for_long, "docs", "c")
            open_for_long.commit()
    assert await _folded(db, docs.id) == 3


@pytest.mark.filterwarnings("ignore")
@on_database
async def test_an_application_goes_on_where_nothing_can_be_told_at_all_and_is_warned(db: Database) -> None:
    await make_collection(db)
    said: list[str | None] = []
    with _locked(db.url, *_OURS), _application(db.url) as application:
        application.add_notice_handler(lambda notice: said.append(notice.message_primary))
        enqueue(application, "docs", ["a", "b"])
        application.commit()
    assert said == ["embedding_assets: 2 changes could not be told; the next poll of the source finds them"]


@on_database
async def test_a_table_of_ours_that_is_gone_fails_no_application(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await tx.execute("ALTER TABLE embedding_assets.work_arrivals RENAME TO elsewhere")
    with _application(db.url) as application:
        enqueue(application, "docs", "a")
    async with db.transaction() as tx:
        await tx.execute("ALTER TABLE embedding_assets.elsewhere RENAME TO work_arrivals")
    assert await _folded(db, docs.id) == 1


@on_database
async def test_a_collection_takes_its_arrivals_along_and_those_committed_later_are_swept_up(db: Database) -> None:
    docs = await make_collection(db)
    others = await make_collection(db, "others")
    with _application(db.url) as application, psycopg.connect(db.url) as late:
        enqueue(application, "docs", "a")
        enqueue(application, "others", "b")
        application.commit()
        enqueue(late, "docs", "c")
        async with db.transaction() as tx:
            await tx.execute("DELETE FROM embedding_assets.collections WHERE name = 'docs'")
        late.commit()
    async with db.transaction() as tx:
        assert [await work_queue.forget_orphans(tx), await work_queue.forget_orphans(tx)] == [1, 0]
    assert (await _folded(db, docs.id), await _folded(db, others.id)) == (0, 1)


@on_database
async def test_a_name_nobody_could_look_up_and_nobody_has_is_swept_up(db: Database) -> None:
    docs = await make_collection(db)
    with _locked(db.url, "collections"), _application(db.url) as application:
        enqueue(application, "dcos", "a")
    async with db.transaction() as tx:
        assert await work_queue.forget_orphans(tx) == 1
    assert await _folded(db, docs.id) == 0


@on_database
async def test_what_was_put_aside_keeps_its_time(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await tx.execute(
            "UPDATE embedding_assets.collections SET tracked_since = now() - interval '1 day', "
            "last_poll_at = now() - interval '3 minutes'"
        )
    with _locked(db.url, "collections"), psycopg.connect(db.url) as application:
        application.execute("SELECT embedding_assets.enqueue('docs', 'old', '1970-01-01')")
        enqueue(application, "docs", "now")
    await _folded(db, docs.id)
    async with db.transaction() as tx:
        promises, arrived = await obligations(tx, docs), await items(tx, docs)
        row = await (await tx.execute("SELECT last_poll_at FROM embedding_assets.collections")).fetchone()
    assert row is not None
    assert promises["old"]["due_from"] == row[0]
    assert row[0] < promises["now"]["due_from"] <= arrived["now"]["first_enqueued_at"]


@on_database
async def test_a_thousand_statements_of_one_transaction_leave_no_numbered_subtransaction(db: Database) -> None:
    await make_collection(db)
    with psycopg.connect(db.url) as application:
        for _ in range(200):
            application.execute("SELECT embedding_assets.enqueue('docs', 'a')")
        query = "SELECT s.subxact_count, s.subxact_overflowed FROM pg_stat_get_backend_subxact((SELECT n FROM \
                 pg_stat_get_backend_idset() AS n WHERE pg_stat_get_backend_pid(n) = pg_backend_pid())) AS s"
        assert application.execute(query).fetchone() == (0, False)
