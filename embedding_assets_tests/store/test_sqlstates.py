"""Errors of a real PostgreSQL by their SQLSTATE: each has its type, the message says what to do, and none is silent."""

import logging
import threading

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from embedding_assets.domain.failures import ErrorType, FailureClass, StoreError
from embedding_assets.store.database import BUSY_TRIES, Database, Tx, execute_autocommit
from embedding_assets.store.sqlstates import unconnected
from embedding_assets_tests.support.database import on_database, waiting_for_a_lock

AWAY, REFUSED, BUSY, DATA, UNEXPECTED = (
    ErrorType.DATABASE_UNAVAILABLE,
    ErrorType.DATABASE_REFUSED,
    ErrorType.DATABASE_BUSY,
    ErrorType.INVALID_DATA,
    ErrorType.UNEXPECTED,
)


async def _refusal(db: Database, statement: str) -> StoreError:
    with pytest.raises(StoreError) as caught:
        async with db.transaction() as tx:
            await tx.execute(statement.encode())
    return caught.value


_TYPES = {
    AWAY: "08000 08006 08P01 57P01 57P02 57P03 57P04 57P05 53000 53100 53200 53300 58030 25006 3D000",
    REFUSED: "42501 28000 28P01",
    BUSY: "40000 40001 40003 40P01 55P03 57014 25P03 25P04",
    DATA: "22000 22021 22P05 54000 54011 23502 23514",
    UNEXPECTED: "23503 23505 23P01 40002 42703 42P01 P0001 XX000",
}


@on_database
async def test_each_sqlstate_has_its_type(db: Database) -> None:
    expected = {state: error_type for error_type, states in _TYPES.items() for state in states.split()}
    for state, error_type in expected.items():
        refusal = await _refusal(db, f"DO $$ BEGIN RAISE EXCEPTION 'it was raised' USING ERRCODE = '{state}'; END $$")
        assert (state, refusal.error_type) == (state, error_type)
        assert str(refusal).startswith(f"PostgreSQL: it was raised ({state})")


@on_database
async def test_a_statement_that_takes_too_long_is_busy(db: Database) -> None:
    refusal = await _refusal(db, "SET LOCAL statement_timeout = '20ms'; SELECT pg_sleep(30)")
    assert refusal.error_type is BUSY
    assert "long transactions" in str(refusal)


@on_database
async def test_a_key_that_is_too_long_for_its_index_is_invalid_data(db: Database) -> None:
    digits = "SELECT string_agg(md5(n::text), '') FROM generate_series(1, 100) AS n"
    refusal = await _refusal(db, f"CREATE TEMPORARY TABLE t (k text PRIMARY KEY); INSERT INTO t {digits}")
    assert refusal.error_type is DATA


@on_database
async def test_a_table_the_role_may_not_read_is_a_matter_of_rights(db: Database) -> None:
    refusal = await _refusal(db, "SET LOCAL ROLE pg_monitor; SELECT * FROM embedding_assets.documents")
    assert (refusal.error_type, refusal.failure_class) == (REFUSED, FailureClass.SYSTEMIC)
    assert "check the user and password in EMBEDDING_ASSETS_DATABASE_URL and the rights" in str(refusal)


def test_a_role_that_may_not_connect_is_refused_at_once_and_told_so(
    administration: Connection, database_url: str
) -> None:
    role = sql.Identifier("may_not_connect")
    administration.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
    url = make_conninfo(database_url, user="may_not_connect")

    @on_database
    async def opening(_: Database) -> None:
        async with Database(url):
            pass

    try:
        for connecting in (lambda: execute_autocommit(url, "SELECT 1"), lambda: opening(database_url=database_url)):
            with pytest.raises(StoreError, match="may_not_connect") as caught:
                connecting()
            assert caught.value.error_type is REFUSED
            assert "check the user and password" in str(caught.value)
    finally:
        administration.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.mark.parametrize(
    ("text", "error_type"),
    [
        ('FATAL:  password authentication failed for user "writer"', REFUSED),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "writer", database "x", no encryption', REFUSED),
        ('FATAL:  role "writer" does not exist', REFUSED),
        ("fe_sendauth: no password supplied", REFUSED),
        ('FATAL:  database "writer" does not exist', AWAY),
        ("FATAL:  the database system is starting up", AWAY),
        ("could not translate host name to address: Name or service not known", AWAY),
        ("consuming input failed: server closed the connection unexpectedly", AWAY),
    ],
)
def test_a_connection_that_did_not_come_about_is_told_by_its_sentence(text: str, error_type: ErrorType) -> None:
    assert unconnected(text) is error_type


@on_database
async def test_an_error_nobody_foresaw_is_logged_with_its_state_and_place_but_not_its_message(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        await _refusal(db, "DO $$ BEGIN RAISE EXCEPTION 'the text of a document'; END $$")
        await _refusal(db, "SELECT 1/0")
    [record] = caplog.records
    assert "P0001" in record.getMessage()
    assert "psycopg.errors.RaiseException" in record.getMessage()
    assert "test_sqlstates.py" in record.getMessage()
    assert "the text of a document" not in record.getMessage()


@on_database
async def test_a_deadlock_is_over_when_the_whole_transaction_is_tried_again(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute("CREATE TABLE pair (n integer PRIMARY KEY, by text); INSERT INTO pair VALUES (1), (2)")
    held, go_on = threading.Event(), threading.Event()

    def other_session() -> None:
        with psycopg.connect(db.url) as other:
            other.execute("SET deadlock_timeout = '60s'")  # so that it is always ours that is chosen
            other.execute("UPDATE pair SET by = 'other' WHERE n = 2")
            held.set()
            go_on.wait(20)
            other.execute("UPDATE pair SET by = 'other' WHERE n = 1")

    tried: list[int] = []

    async def ours(tx: Tx) -> None:
        tried.append(1)
        await tx.execute("SET LOCAL deadlock_timeout = '10ms'")
        await tx.execute("UPDATE pair SET by = 'ours' WHERE n = 1")
        if len(tried) == 1:
            go_on.set()
            await waiting_for_a_lock(db)
        await tx.execute("UPDATE pair SET by = 'ours' WHERE n = 2")

    other = threading.Thread(target=other_session)
    other.start()
    held.wait(20)
    await db.atomically(ours)
    other.join()
    assert len(tried) == 2
    async with db.transaction() as tx:
        assert await (await tx.execute("SELECT DISTINCT by FROM pair")).fetchall() == [("ours",)]


@on_database
async def test_a_lock_that_is_never_free_is_waited_for_a_few_times_and_leaves_nothing(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute("CREATE TABLE pair (n integer)")
    tried: list[int] = []

    async def ours(tx: Tx) -> None:
        tried.append(1)
        await tx.execute("SET LOCAL lock_timeout = '5ms'")
        await tx.execute("LOCK TABLE pair IN SHARE MODE")

    async with db.transaction() as other:
        await other.execute("INSERT INTO pair VALUES (1)")
        with pytest.raises(StoreError, match="55P03") as caught:
            await db.atomically(ours)
    assert (caught.value.error_type, len(tried)) == (BUSY, BUSY_TRIES)


@on_database
async def test_what_is_not_busy_is_tried_once(db: Database) -> None:
    tried: list[int] = []

    async def ours(tx: Tx) -> None:
        tried.append(1)
        await tx.execute("SELECT 1/0")

    with pytest.raises(StoreError):
        await db.atomically(ours)
    assert len(tried) == 1
