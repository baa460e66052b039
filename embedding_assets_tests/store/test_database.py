"""Transactions commit whole or not at all, and PostgreSQL's errors become ours without quoting a row."""

import threading
import traceback

import anyio
import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb

from embedding_assets.domain.failures import ErrorType, FailureClass, StoreError
from embedding_assets.store.database import Database, ensure_database
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.server import database_at

SECRET = "the-content-of-a-document"


@on_database
async def test_a_transaction_that_raises_leaves_nothing(db: Database) -> None:
    async def stop_half_way() -> None:
        async with db.transaction() as tx:
            await tx.execute("CREATE TABLE half_done (n integer)")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await stop_half_way()
    async with db.transaction() as tx:
        row = await (await tx.execute("SELECT to_regclass('half_done')")).fetchone()
    assert row == (None,)


@pytest.mark.parametrize(
    ("statement", "error_type"),
    [
        ("SELECT 1/0", ErrorType.INVALID_DATA),
        ("SELECT '{]'::jsonb", ErrorType.INVALID_DATA),
        ("SELECT chr(0)", ErrorType.INVALID_DATA),
        ("SELECT no_such_column", ErrorType.UNEXPECTED),
        ("INSERT INTO embedding_assets.schema_version VALUES (NULL)", ErrorType.INVALID_DATA),
        ("SELECT pg_terminate_backend(pg_backend_pid())", ErrorType.DATABASE_UNAVAILABLE),
    ],
)
@on_database
async def test_an_error_of_postgresql_is_classified(db: Database, statement: str, error_type: ErrorType) -> None:
    with pytest.raises(StoreError) as caught:
        async with db.transaction() as tx:
            await tx.execute(statement.encode())
    assert caught.value.error_type is error_type
    assert str(caught.value).startswith("PostgreSQL: ")
    assert "\n" not in str(caught.value)


@on_database
async def test_no_plan_that_was_made_for_an_empty_table_is_used_when_it_is_full(db: Database) -> None:
    query = "SELECT FROM grows AS g JOIN unnest(%s::integer[]) AS u (n) USING (n)"
    read = "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'grows'"
    async with db.session() as connection:
        await connection.execute("CREATE TABLE grows (n integer PRIMARY KEY)")
        await connection.execute("ANALYZE grows")
        # psycopg prepares what it ran 5 times, and PostgreSQL keeps one plan for all parameters after 5 more.
        for _ in range(15):
            await connection.execute(query, [[1]])
        await connection.execute("INSERT INTO grows SELECT generate_series(1, 5000)")
        async with connection.transaction():
            before = await (await connection.execute(read)).fetchone()
            assert (await connection.execute(query, [[1, 2]])).rowcount == 2
            assert await (await connection.execute(read)).fetchone() == before


@on_database
async def test_text_that_postgresql_cannot_hold_is_invalid_data(db: Database) -> None:
    for text in (f"{SECRET}\0", f"{SECRET}\ud800"):
        with pytest.raises(StoreError) as caught:
            async with db.transaction() as tx:
                await tx.execute("SELECT %s::text", [text])
        assert caught.value.failure_class is FailureClass.POISON
        assert SECRET not in "".join(traceback.format_exception(caught.value))


@on_database
async def test_a_row_that_postgresql_quotes_stays_out_of_the_error_and_its_traceback(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute("CREATE TABLE kept (content text PRIMARY KEY CHECK (content <> 'x'), facts jsonb)")
        await tx.execute("INSERT INTO kept VALUES (%s)", [SECRET])
    broken = Jsonb({}, dumps=lambda _: f'{{"{SECRET}"}}')
    for values in ([SECRET, None], ["x", None], [None, None], ["y", broken]):
        with pytest.raises(StoreError) as caught:
            async with db.transaction() as tx:
                await tx.execute("INSERT INTO kept VALUES (%s, %s)", values)
        told = "".join(traceback.format_exception(caught.value))
        assert SECRET not in told
        assert "DETAIL" not in told
        assert "INSERT INTO kept" in told


def test_a_server_that_cannot_be_reached_is_unavailable(database_url: str) -> None:
    with pytest.raises(StoreError) as caught:
        ensure_database(database_at(database_url, "there_is_no_such_database"), "any")
    assert caught.value.error_type is ErrorType.DATABASE_UNAVAILABLE


@on_database
async def test_a_connection_that_the_server_closed_is_replaced(db: Database) -> None:
    async with db.transaction() as tx:
        row = await (await tx.execute("SELECT pg_backend_pid()")).fetchone()
    async with db.autocommit() as connection:
        await connection.execute("SELECT pg_terminate_backend(%s, 5000)", row)
    async with db.transaction() as tx:
        await tx.execute("SELECT 1")


@on_database
async def test_the_autocommit_connection_is_in_no_transaction(db: Database) -> None:
    async with db.autocommit() as connection:
        await connection.execute("CREATE TABLE visible (n integer)")
        async with db.transaction() as tx:
            await tx.execute("SELECT FROM visible")


@on_database
async def test_more_transactions_than_the_pool_has_connections_take_turns(db: Database) -> None:
    async def work() -> None:
        async with db.transaction() as tx:
            await tx.execute("SELECT 1")

    async with anyio.create_task_group() as tasks:
        for _ in range(40):
            tasks.start_soon(work)


def test_a_database_is_made_once_however_many_ask_at_once(administration: Connection, server_url: str) -> None:
    name = "asked_for_by_many"
    made: list[bool] = []
    askers = [threading.Thread(target=lambda: made.append(ensure_database(server_url, name))) for _ in range(4)]
    try:
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        assert sorted(made) == [False, False, False, True]
        assert ensure_database(server_url, name) is False
    finally:
        administration.execute("DROP DATABASE IF EXISTS asked_for_by_many WITH (FORCE)")
