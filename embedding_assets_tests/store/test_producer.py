"""An application tells of changes in its own transaction: what is refused, what a restricted role may do, when the clock starts."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import psycopg
import pytest
from psycopg import Connection

from embedding_assets.store import work_queue
from embedding_assets.store.database import Database
from embedding_assets.store.producer import NotEnqueued, enqueue
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import on_database, run
from embedding_assets_tests.support.queue import items, obligations
from embedding_assets_tests.support.roles import role_with

# As docs/operations.md says.
PRODUCER = (
    "GRANT USAGE ON SCHEMA embedding_assets TO {}",
    "GRANT EXECUTE ON FUNCTION embedding_assets.enqueue, embedding_assets.enqueue_many TO {}",
)
_FORBIDDEN = (
    b"SELECT FROM embedding_assets.collections",
    b"SELECT FROM embedding_assets.work_arrivals",
    b"INSERT INTO embedding_assets.work_arrivals (collection_id, document_key) VALUES (1, 'a')",
    b"INSERT INTO embedding_assets.arrivals_aside (collection_id, changed_at) VALUES (1, now())",
    b"SELECT embedding_assets.append_arrivals(1, NULL, ARRAY['a'], now(), NULL)",
    b"SELECT embedding_assets.append_all(1)",
    b"SELECT embedding_assets.may_use('work_arrivals')",
    b"UPDATE embedding_assets.documents SET content = ''",
)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=timezone.utc)
_NEVER = datetime(9999, 12, 31, tzinfo=timezone.utc)


@pytest.fixture
def application(database_url: str) -> Iterator[Connection]:
    """The connection of an application that may enqueue into collection `docs` and do nothing else with us."""
    run(database_url, make_collection)
    with role_with(database_url, *PRODUCER) as url, psycopg.connect(url) as connection:
        yield connection


def _arrived(url: str) -> list[tuple[str, str]]:
    with psycopg.connect(url) as connection:
        query = "SELECT document_key, lane::text FROM embedding_assets.work_arrivals ORDER BY id"
        return connection.execute(query).fetchall()


def test_what_is_told_becomes_known_when_the_application_commits(database_url: str, application: Connection) -> None:
    enqueue(application, "docs", "a.md")
    enqueue(application, "docs", ["b.md", "Ü 'c'\n\\d"])
    assert _arrived(database_url) == []
    application.commit()
    assert _arrived(database_url) == [("a.md", "live"), ("b.md", "live"), ("Ü 'c'\n\\d", "live")]


def test_what_is_told_in_a_transaction_that_is_rolled_back_never_happened(
    database_url: str, application: Connection
) -> None:
    enqueue(application, "docs", "a.md")
    application.rollback()
    assert _arrived(database_url) == []


def test_a_url_will_do_as_well_as_a_connection(database_url: str, application: Connection) -> None:
    del application
    enqueue(database_url, "docs", "a.md")
    assert _arrived(database_url) == [("a.md", "live")]


def test_a_producer_may_do_nothing_but_enqueue(application: Connection) -> None:
    application.autocommit = True
    application.execute("SELECT embedding_assets.enqueue('docs', 'a.md')")
    application.execute("SELECT embedding_assets.enqueue_many('docs', ARRAY['b.md', 'c.md'], now())")
    for forbidden in _FORBIDDEN:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute(forbidden)


def test_nobody_may_enqueue_without_being_granted_it(database_url: str) -> None:
    run(database_url, make_collection)
    with (
        role_with(database_url, "GRANT USAGE ON SCHEMA embedding_assets TO {}") as url,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        enqueue(url, "docs", "a.md")


@pytest.mark.parametrize(
    ("collection", "document_key", "said"),
    [
        ("dcos", "a.md", r"no collection 'dcos': embedding-assets collections list"),
        (None, "a.md", r"not NULL"),
        ("docs", None, r"1 to 2,000 bytes, and NULL has not"),
        ("docs", "", r"1 to 2,000 bytes, and '' has not"),
        ("docs", "ü" * 1001, r"1 to 2,000 bytes, and 'üü+ has not"),
    ],
)
def test_what_cannot_be_a_reference_is_refused_with_its_reason(
    application: Connection, collection: str, document_key: str, said: str
) -> None:
    with pytest.raises(NotEnqueued, match=said):
        enqueue(application, collection, ["fine.md", document_key])


def test_no_keys_at_all_are_not_a_collection_of_none(application: Connection) -> None:
    with pytest.raises(psycopg.errors.NullValueNotAllowed, match="not NULL"):
        application.execute("SELECT embedding_assets.enqueue_many('docs', NULL)")


def test_a_time_without_a_zone_is_refused_before_anything_is_sent(application: Connection) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        enqueue(application, "docs", "a.md", datetime(2026, 3, 1, 12))  # noqa: DTZ001 - the mistake


def test_a_longest_key_is_taken_and_no_search_path_changes_what_is_called(
    database_url: str, application: Connection
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("CREATE SCHEMA evil")
        owner.execute("GRANT USAGE ON SCHEMA evil TO PUBLIC")
        owner.execute("CREATE FUNCTION evil.octet_length(text) RETURNS integer LANGUAGE sql AS 'SELECT 1 / 0'")
        owner.execute("CREATE TABLE evil.collections (id integer, name text, last_poll_at timestamptz)")
    application.execute("SET search_path = evil, pg_catalog")
    enqueue(application, "docs", "k" * 2000)
    application.commit()
    assert _arrived(database_url) == [("k" * 2000, "live")]


@on_database
async def test_an_absurd_time_counts_from_the_last_poll_or_as_now_and_burns_no_more(db: Database) -> None:
    polled = datetime.now(timezone.utc) - timedelta(minutes=4)
    docs = await make_collection(db, tracked_since=polled - timedelta(days=9))
    async with db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.collections SET last_poll_at = %s", [polled])
    enqueue(db.url, "docs", "old.md", _LONG_AGO)
    enqueue(db.url, "docs", "new.md", _NEVER)
    enqueue(db.url, "docs", "now.md")
    async with db.transaction() as tx:
        await tx.execute("SELECT embedding_assets.enqueue('docs', 'older.md', '-infinity')")
        await tx.execute("SELECT embedding_assets.enqueue('docs', 'newer.md', 'infinity')")
        await tx.execute("SELECT embedding_assets.enqueue('docs', 'unsaid.md', NULL)")
    async with db.transaction() as tx:
        await work_queue.fold(tx, docs.id)
        promises = await obligations(tx, docs)
        arrived = {key: item["first_enqueued_at"] for key, item in (await items(tx, docs)).items()}
    assert {key for key, promise in promises.items() if promise["due_from"] == polled} == {"old.md", "older.md"}
    for key in ("new.md", "now.md", "newer.md", "unsaid.md"):
        assert arrived[key] - timedelta(seconds=1) < promises[key]["due_from"] <= arrived[key]


@on_database
async def test_what_is_told_before_the_first_poll_promises_nothing(db: Database) -> None:
    docs = await make_collection(db)
    enqueue(db.url, "docs", "a.md", _LONG_AGO)
    async with db.transaction() as tx:
        await work_queue.fold(tx, docs.id)
        assert (list(await items(tx, docs)), await obligations(tx, docs)) == (["a.md"], {})
