"""Somebody else's table, read on a real PostgreSQL: rows by key, pages of keys, what changed."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import psycopg
import pytest
from psycopg import sql
from typing_extensions import LiteralString

from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.domain.tables import TableRow, joined_key
from embedding_assets_tests.support.foreign import ARTICLES, COLUMNS, execute, keyed, opened


def _refusal(url: str, **changes: object) -> SourceError:
    with opened(url, replace(COLUMNS, **changes)) as table, pytest.raises(SourceError) as caught:
        list(table.listing())
    return caught.value


def test_a_row_is_read_with_everything_that_was_configured(empty_database_url: str) -> None:
    insert = (
        "INSERT INTO articles (title, body, tags, updated_at) VALUES ('T', 'text', '[1, \"a\"]', '2024-05-01 12:00+02')"
    )
    execute(empty_database_url, ARTICLES, insert)
    with opened(empty_database_url) as table:
        changed = datetime(2024, 5, 1, 10, tzinfo=timezone.utc)
        metadata = {"tags": [1, "a"]}
        row = table.read("1", max_bytes=100)
        assert row is not None
        assert row == TableRow(12, ["text"], "T", None, metadata, changed, row.signature)
        assert row.signature


@pytest.mark.parametrize(
    "key", ["2", "0", "", "one", "1.5", "99999999999999999999", "1/2", "1'; DROP TABLE articles; --", "1\0"]
)
def test_a_key_that_no_row_has_is_not_there_whatever_it_looks_like(empty_database_url: str, key: str) -> None:
    execute(empty_database_url, ARTICLES, "INSERT INTO articles (body) VALUES ('text')")
    with opened(empty_database_url) as table:
        assert table.read(key, max_bytes=100) is None
        assert table.read("1", max_bytes=100) is not None


def test_a_row_that_is_marked_as_deleted_is_not_there(empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES, "INSERT INTO articles (body, deleted_at) VALUES ('text', now())")
    with opened(empty_database_url) as table:
        assert (table.read("1", max_bytes=100), list(table.listing())) == (None, [])


def test_a_text_that_is_too_large_stays_where_it_is(empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES, "INSERT INTO articles (body) VALUES (repeat('é', 50)), (repeat('é', 51))")
    with opened(empty_database_url) as table:
        fits, large = (table.read(key, max_bytes=100) for key in ("1", "2"))
    assert (fits and fits.content, large) == (["é" * 50], TableRow(102, None, updated_at=large and large.updated_at))


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("integer", ["-1", "7"]),
        ("numeric", ["1.50", "10"]),
        ("uuid", ["00000000-0000-4000-8000-000000000001", "f0000000-0000-4000-8000-000000000001"]),
        ("text", ["", ' it\'s "quoted"\n/ünd\\', "100%", "a/b", "😀"]),
        ("varchar(8)", ["longer", "x"]),
        ("char(4)", ["ab", "abcd"]),
        ("mood", ["happy", "sad"]),
        ("short", ["a", "b"]),
    ],
)
def test_keys_of_many_types_are_listed_as_text_and_found_by_it(
    empty_database_url: str, kind: LiteralString, keys: list[str]
) -> None:
    make = "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN short AS varchar(3)"
    execute(empty_database_url, make, f"CREATE TABLE items (id {kind} PRIMARY KEY, body text)")
    with psycopg.connect(empty_database_url) as connection:
        values = sql.SQL("INSERT INTO items SELECT key::{}, 'text of ' || key FROM unnest(%s::text[]) AS key")
        connection.execute(values.format(sql.SQL(kind)), [keys])
    with opened(empty_database_url, keyed("id"), rows_a_page=2) as table:
        assert sorted(listed.document_key for listed in table.listing()) == sorted(keys)
        for key in keys:
            row = table.read(key, max_bytes=100)
            assert row is not None
            assert row.content == [f"text of {key}"]


def test_a_key_of_several_columns_is_one_text_that_finds_its_row(empty_database_url: str) -> None:
    execute(
        empty_database_url,
        "CREATE TABLE items (tenant text, id integer, body text, PRIMARY KEY (tenant, id))",
        "INSERT INTO items SELECT tenant, id, tenant || id FROM unnest(ARRAY['eu/west', '100%', '', 'a'';%2F']) AS tenant, "
        "generate_series(1, 3) AS id",
    )
    expected = {
        joined_key([tenant, str(n)]): f"{tenant}{n}" for tenant in ("eu/west", "100%", "", "a';%2F") for n in (1, 2, 3)
    }
    with opened(empty_database_url, keyed("tenant", "id"), rows_a_page=2) as table:
        rows = {listed.document_key: table.read(listed.document_key, max_bytes=100) for listed in table.listing()}
    assert {key: row and row.content for key, row in rows.items()} == {key: [text] for key, text in expected.items()}


def test_every_row_is_listed_once_page_by_page(empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES, "INSERT INTO articles (body) SELECT n FROM generate_series(1, 10000) AS n")
    with opened(empty_database_url, rows_a_page=999) as table:
        assert [listed.document_key for listed in table.listing()] == [str(n) for n in range(1, 10_001)]


def test_the_signature_changes_with_what_is_shown_and_with_nothing_else(empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES, "INSERT INTO articles (title, body) VALUES ('T', 'text')")
    seen: list[str] = []
    with opened(empty_database_url) as table:
        for change in (
            "updated_at = now() - interval '1 year'",
            "title = NULL",
            "title = ''",
            "body = 'other'",
            "tags = '{}'",
        ):
            seen += [listed.signature for listed in table.listing()]
            execute(empty_database_url, f"UPDATE articles SET {change}")
        seen += [listed.signature for listed in table.listing()]
    assert (seen[0] == seen[1], len(set(seen))) == (True, 5)


def test_changes_are_what_was_updated_or_deleted_since(empty_database_url: str) -> None:
    execute(
        empty_database_url,
        ARTICLES,
        "INSERT INTO articles (body, updated_at) SELECT n, now() - n * interval '1 minute' FROM generate_series(1, 9) AS n",
        "UPDATE articles SET deleted_at = now() WHERE id = 8",
    )
    with opened(empty_database_url, rows_a_page=2) as table:
        since = table.activity().now - timedelta(minutes=4, seconds=30)
        found = list(table.changes(since))
    assert [(change.document_key, change.signature is None) for change in found] == [
        ("4", False),
        ("3", False),
        ("2", False),
        ("1", False),
        ("8", True),
    ]


def test_rows_of_the_same_moment_are_all_found_across_pages(empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES, "INSERT INTO articles (body) SELECT n FROM generate_series(1, 50) AS n")
    with opened(empty_database_url, rows_a_page=7) as table:
        found = [change.document_key for change in table.changes(table.activity().now - timedelta(hours=1))]
    assert found == [str(n) for n in range(1, 51)]


def test_a_time_without_a_zone_is_read_as_utc_and_one_out_of_the_calendar_as_none(empty_database_url: str) -> None:
    execute(
        empty_database_url,
        "CREATE TABLE articles (id integer PRIMARY KEY, body text, updated_at timestamp)",
        "INSERT INTO articles VALUES (1, '', '2024-05-01 12:00'), (2, '', 'infinity'), (3, '', '-infinity'), (4, '', NULL)",
    )
    columns = replace(COLUMNS, title=None, metadata=(), deleted_at=None)
    noon = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
    with opened(empty_database_url, columns, rows_a_page=1) as table:
        assert [listed.changed_at for listed in table.listing()] == [noon, None, None, None]
        assert [change.document_key for change in table.changes(noon)] == ["1", "2"]


def test_a_role_that_may_only_read_is_enough_and_a_table_it_may_not_read_is_named(empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES, "INSERT INTO articles (body) VALUES ('text')")
    with psycopg.connect(empty_database_url, autocommit=True) as owner:
        owner.execute("CREATE ROLE onlooker LOGIN")
        try:
            url = empty_database_url.replace("postgres@", "onlooker@").replace("postgres:@", "onlooker@")
            refused = _refusal(url)
            assert refused.error_type is ErrorType.ROOT_UNAVAILABLE
            assert "permission denied for table articles (42501)" in str(refused)
            owner.execute("GRANT SELECT ON articles TO onlooker")
            with opened(url) as table:
                assert [listed.document_key for listed in table.listing()] == ["1"]
                assert table.activity().running == frozenset()
        finally:
            owner.execute("DROP OWNED BY onlooker")
            owner.execute("DROP ROLE onlooker")


def test_nothing_can_be_written_even_by_the_owner(empty_database_url: str) -> None:
    execute(
        empty_database_url,
        "CREATE TABLE base (id integer)",
        "CREATE FUNCTION sneaky() RETURNS text LANGUAGE sql AS $$ INSERT INTO base VALUES (1) RETURNING 'x' $$",
        "CREATE VIEW items AS SELECT 1 AS id, sneaky() AS body",
    )
    with opened(empty_database_url, keyed("id")) as table, pytest.raises(SourceError, match="read-only transaction"):
        list(table.listing())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"table": "artikel"}, "there is no table public.artikel"),
        ({"schema": "shop"}, "there is no table shop.articles"),
        ({"title": "titel"}, "has no column titel: correct the collections file; it has body, deleted_at, id"),
        (
            {"key": ("updated_at",)},
            "public.articles.updated_at is of type timestamp with time zone; the key must be one of",
        ),
        ({"updated_at": "title"}, "public.articles.title is of type text; a time of change must be one of timestamp"),
    ],
)
def test_what_is_configured_and_not_there_is_named(
    empty_database_url: str, changes: dict[str, object], told: str
) -> None:
    execute(empty_database_url, ARTICLES)
    error = _refusal(empty_database_url, **changes)
    assert (error.error_type, told in str(error)) == (ErrorType.ROOT_UNAVAILABLE, True)


def test_transactions_that_may_still_commit_are_seen_until_they_end(empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES)
    with opened(empty_database_url) as table, psycopg.connect(empty_database_url) as application:
        application.execute("SELECT 1")
        [running] = table.activity().running
        application.execute("INSERT INTO articles (body) VALUES ('late')")
        assert table.activity().running == {running}
        application.commit()
        assert table.activity().running == frozenset()
