"""Migrations lead to the committed schema, from nothing, once, however many migrate at the same time."""

import threading

import psycopg
import pytest

from embedding_assets.domain.failures import ErrorType, StoreError
from embedding_assets.store import migrations
from embedding_assets_tests.contracts.dump_schema import SCHEMA_FILE, dump_schema
from embedding_assets_tests.support.server import database_at

_REVISIONS = [f"{number:04}" for number in range(1, 16)]


def test_the_migrated_database_has_the_committed_schema(database_url: str) -> None:
    assert dump_schema(database_url) == SCHEMA_FILE.read_text(encoding="utf-8"), "run `make schema`"


def test_migrating_twice_does_it_once(empty_database_url: str) -> None:
    revisions = migrations.missing_revisions(empty_database_url)
    assert revisions[0] == "0001"
    assert migrations.upgrade(empty_database_url) == revisions
    once = dump_schema(empty_database_url)
    assert migrations.missing_revisions(empty_database_url) == []
    assert migrations.upgrade(empty_database_url) == []
    assert dump_schema(empty_database_url) == once


def test_many_that_migrate_at_once_migrate_once(empty_database_url: str) -> None:
    applied: list[list[str]] = []
    migrators = [
        threading.Thread(target=lambda: applied.append(migrations.upgrade(empty_database_url))) for _ in range(4)
    ]
    for migrator in migrators:
        migrator.start()
    for migrator in migrators:
        migrator.join()
    assert sorted(applied) == [[], [], [], _REVISIONS]


def test_a_migration_that_fails_leaves_nothing_behind(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA embedding_assets")
        connection.execute("CREATE VIEW embedding_assets.forecasts AS SELECT 1 AS in_the_way")
        with pytest.raises(StoreError, match="forecasts"):
            migrations.upgrade(empty_database_url)
        connection.execute("DROP VIEW embedding_assets.forecasts")
        tables = "SELECT relname FROM pg_class WHERE relnamespace = 'embedding_assets'::regnamespace AND relkind = 'r'"
        assert set(connection.execute(tables).fetchall()) <= {("schema_version",)}
    assert migrations.upgrade(empty_database_url) == _REVISIONS


def test_the_vector_extension_may_live_in_a_schema_of_its_own(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA extensions")
        connection.execute("CREATE EXTENSION vector SCHEMA extensions")
    assert migrations.upgrade(empty_database_url) == _REVISIONS


def test_a_database_that_cannot_be_reached_is_told_as_such(database_url: str) -> None:
    nowhere = database_at(database_url, "there_is_no_such_database")
    for ask in (migrations.upgrade, migrations.missing_revisions):
        with pytest.raises(StoreError) as caught:
            ask(nowhere)
        assert caught.value.error_type is ErrorType.DATABASE_UNAVAILABLE


def test_a_role_without_rights_is_told_so_and_not_that_the_server_is_away(
    administration: psycopg.Connection, database_url: str
) -> None:
    administration.execute("CREATE ROLE may_log_in LOGIN")
    try:
        url = database_url.replace("postgres:@", "may_log_in:@").replace("postgres@", "may_log_in@")
        with pytest.raises(StoreError, match=r"permission denied.*migrate as the owner"):
            migrations.missing_revisions(url)
    finally:
        administration.execute("DROP ROLE may_log_in")


def test_every_migration_gives_up_rather_than_hold_up_who_waits_behind_it() -> None:
    files = [file.read_text(encoding="utf-8") for file in sorted(SCHEMA_FILE.parent.glob("versions/*.sql"))]
    # The first has three files, of one transaction.
    assert len([text for text in files if "SET LOCAL lock_timeout = '5s'" in text]) == len(files) - 2
