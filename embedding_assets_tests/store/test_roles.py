"""Roles of a real PostgreSQL: what each kind can do, and what it cannot. The owner is no superuser."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import Connection
from pydantic import SecretStr

from embedding_assets.domain.failures import StoreError
from embedding_assets.exporter.running import one_snapshot
from embedding_assets.pipeline.maintain import maintain
from embedding_assets.settings import Settings
from embedding_assets.store import roles
from embedding_assets.store.database import Database
from embedding_assets.store.roles import RoleKind
from embedding_assets_tests.simulator import Simulator, expected_vector
from embedding_assets_tests.support.benches import open_bench, simulated_model, sync_and_run, write_documents
from embedding_assets_tests.support.company import Roles, company_database
from embedding_assets_tests.support.database import run
from embedding_assets_tests.support.server import fresh_database

_LIMIT = (
    "INSERT INTO embedding_assets.rate_limits (name, requests_per_minute) VALUES ('vertex/embeddings', 450)",
    "INSERT INTO embedding_assets.rate_limit_consumers (limit_name, consumer) VALUES ('vertex/embeddings', 'chat')",
    """
    INSERT INTO embedding_assets.collections (name, source, chunking, chunker_fingerprint, active_model_id)
    SELECT 'secrets', source, chunking, chunker_fingerprint, active_model_id FROM embedding_assets.collections
    """,
)
_SEARCH = "SELECT document_key FROM embedding_assets.search_in_docs(%s::vector, 3)"


@pytest.fixture(scope="module")
def company(administration: Connection, server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roles]:
    """Three documents published by the writer, and everybody's rights given."""
    folder = tmp_path_factory.mktemp("documents")
    write_documents(folder, 3)
    with (
        fresh_database(administration, server_url, migrated=False) as url,
        company_database(administration, url) as made,
    ):
        made.grant(RoleKind.WRITER)
        _publish(made.url_of("writer"), folder)
        for statement in _LIMIT:
            made.rows("writer", statement)
        for kind in RoleKind:
            made.grant(kind, "docs" if kind is RoleKind.READER else None)
        yield made


def _publish(url: str, folder: Path) -> None:
    async def body() -> None:
        with Simulator() as provider:
            async with open_bench(url, folder, simulated_model(provider)) as bench:
                assert (await sync_and_run(bench)).total.published == 3
                await maintain(bench, grace_seconds=0)

    asyncio.run(body())


def test_the_owner_needs_no_superuser_and_the_writer_publishes_without_owning_the_schema(company: Roles) -> None:
    flags = company.rows("owner", "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user")
    assert flags == [(False, False)]
    assert company.rows("writer", "SELECT count(*) FROM embedding_assets.publications") == [(3,)]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE embedding_assets.documents ADD COLUMN more text",
        "DROP TABLE embedding_assets.work_items",
        "DROP SCHEMA embedding_assets CASCADE",
        "UPDATE embedding_assets.schema_version SET version_num = '0001'",
        "CREATE ROLE another",
    ],
)
def test_the_writer_cannot_change_the_schema(company: Roles, statement: str) -> None:
    assert company.refused("writer", statement)  # pyright: ignore[reportArgumentType]


def test_the_owner_reads_and_drops_the_tables_of_vectors_that_the_writer_made(company: Roles) -> None:
    tables = company.rows("owner", "SELECT tableowner FROM pg_tables WHERE tablename = 'embeddings_1_1'")
    assert tables == [(company.names["writer"],)]
    assert company.rows("owner", "SELECT count(*) > 0 FROM embedding_assets.embeddings_1_1") == [(True,)]
    with psycopg.connect(company.url_of("owner")) as connection:
        connection.execute("DROP TABLE embedding_assets.embeddings_1_1")
        connection.rollback()


def test_the_reader_of_a_collection_searches_it_and_reads_its_chunks_and_vectors(company: Roles) -> None:
    [chunk] = company.rows("reader", "SELECT content FROM embedding_assets.chunks_of_docs ORDER BY content LIMIT 1")
    vector = str(list(map(float, expected_vector(str(chunk[0]), 8))))
    found = company.rows("reader", _SEARCH, vector)
    assert len(found) == 3
    assert company.rows("reader", "SELECT count(*) > 0 FROM embedding_assets.embeddings_1_1") == [(True,)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM embedding_assets.documents",
        "SELECT * FROM embedding_assets.chunks",
        "SELECT * FROM embedding_assets.searchable_chunks",
        "SELECT * FROM embedding_assets.search('secrets', '[1,0,0,0,0,0,0,0]')",
        "SELECT * FROM embedding_assets.search('docs', '[1,0,0,0,0,0,0,0]')",
        "SELECT * FROM embedding_assets.collections",
        "UPDATE embedding_assets.embeddings_1_1 SET embedding = embedding",
        "INSERT INTO embedding_assets.work_arrivals (collection_id, document_key) VALUES (1, 'a')",
        "CALL embedding_assets.reserve('vertex/embeddings', 'chat', 'live', 1, 1, 1, NULL)",
        "SELECT embedding_assets.provider_refused('vertex/embeddings', 60)",
        "CREATE TABLE embedding_assets.mine (a int)",
    ],
)
def test_the_reader_of_a_collection_can_do_nothing_else(company: Roles, statement: str) -> None:
    assert company.refused("reader", statement)  # pyright: ignore[reportArgumentType]


def test_a_reader_cannot_smuggle_a_function_of_its_own_into_the_owners_rights(company: Roles) -> None:
    """The path of the function is fixed, and what is temporary comes last."""
    with psycopg.connect(company.url_of("reader")) as connection:
        connection.execute("CREATE TEMPORARY TABLE collections AS SELECT 1 AS id, 'stolen' AS name")
        connection.execute("SET search_path = pg_temp, public")
        rows = connection.execute(_SEARCH, [str([1.0] + [0.0] * 7)]).fetchall()
    assert len(rows) == 3
    settings = company.rows(
        "owner", "SELECT proconfig[1] FROM pg_proc WHERE prosecdef AND pronamespace = 'embedding_assets'::regnamespace"
    )
    assert len(settings) > 1
    assert all(str(setting).endswith(("pg_temp", '"pg_temp"')) for (setting,) in settings)


def test_the_limit_consumer_may_reserve_and_nothing_else(company: Roles) -> None:
    call = "CALL embedding_assets.reserve('vertex/embeddings', 'chat', 'live', 1, 1, 1, NULL)"
    assert company.rows("limit-consumer", call) == [(0.0,)]
    assert company.refused("limit-consumer", "SELECT * FROM embedding_assets.rate_limits")
    assert company.refused("limit-consumer", "SELECT * FROM embedding_assets.documents")
    assert company.refused("limit-consumer", "SELECT embedding_assets.provider_refused('vertex/embeddings', 60)")
    assert company.refused("limit-consumer", "UPDATE embedding_assets.rate_limits SET requests_per_minute = 1000")


def test_the_exporter_reads_numbers_and_no_words_and_writes_nothing(company: Roles) -> None:
    for counted in (
        "SELECT count(*) FROM embedding_assets.work_items",
        "SELECT count(*) FROM embedding_assets.metric_counters",
        "SELECT count(shard) FROM embedding_assets.documents WHERE deleted_at IS NULL",
        "SELECT count(error_type) FROM embedding_assets.failed_documents",
        "SELECT reason FROM embedding_assets.circuits UNION ALL SELECT 'none'",
        "SELECT embedding_assets.shard_of('a')",
    ):
        assert company.rows("exporter", counted)
    for words in (
        "SELECT content FROM embedding_assets.documents",
        "SELECT * FROM embedding_assets.chunks",
        "SELECT message FROM embedding_assets.failed_attempts",
        "SELECT reason FROM embedding_assets.failed_documents",
        "SELECT * FROM embedding_assets.embeddings_1_1",
        "SELECT * FROM embedding_assets.search('docs', '[1,0,0,0,0,0,0,0]')",
        "UPDATE embedding_assets.metric_counters SET value = 0",
        "DELETE FROM embedding_assets.work_items",
    ):
        assert company.refused("exporter", words), words


def test_the_exporter_shows_with_its_rights_what_the_owner_shows(company: Roles) -> None:
    def shown(who: str) -> set[str]:
        snapshot = asyncio.run(one_snapshot(Settings(database_url=SecretStr(company.url_of(who)))))
        assert snapshot.is_up
        return {*snapshot.gauges, *snapshot.gauge_histograms, *(["ledger"] if snapshot.ledger else [])}

    assert shown("exporter") == shown("owner") > {"ledger"}


def test_the_producer_tells_of_a_change_and_touches_no_table(company: Roles) -> None:
    company.rows("producer", "SELECT embedding_assets.enqueue('docs', 'told.md')")
    assert company.rows("writer", "SELECT document_key FROM embedding_assets.work_arrivals") == [("told.md",)]
    assert company.refused("producer", "SELECT * FROM embedding_assets.work_arrivals")
    assert company.refused("producer", "INSERT INTO embedding_assets.work_items (document_key) VALUES ('a')")
    assert company.refused("producer", "SELECT * FROM embedding_assets.documents")


def test_rights_may_be_given_again_and_again(company: Roles) -> None:
    for kind in RoleKind:
        company.grant(kind, "docs" if kind is RoleKind.READER else None)


def test_nobody_gets_a_function_with_the_owners_rights_for_being_anybody(database_url: str) -> None:
    """A migration that adds one has to revoke it: PostgreSQL grants every new function to everybody."""
    query = (
        "SELECT p.oid::regprocedure::text FROM pg_proc AS p WHERE p.pronamespace = 'embedding_assets'::regnamespace "
        "AND p.prosecdef AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) AS a WHERE a.grantee = 0))"
    )
    with psycopg.connect(database_url) as connection:
        assert connection.execute(query).fetchall() == []


def test_what_cannot_be_given_is_refused_with_what_to_do(company: Roles) -> None:
    async def body(db: Database) -> None:
        async with db.transaction() as tx:
            with pytest.raises(StoreError, match="there is no role 'nobody'"):
                await roles.grants(tx, RoleKind.EXPORTER, "nobody")
            with pytest.raises(StoreError, match="there is no collection 'nothing'"):
                await roles.grants(tx, RoleKind.READER, company.names["reader"], "nothing")
            with pytest.raises(StoreError, match="is no member of"):
                await roles.grants(tx, RoleKind.WRITER, company.names["exporter"])

    run(company.url_of("owner"), body)
