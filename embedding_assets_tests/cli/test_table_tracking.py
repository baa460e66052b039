"""`collections track` and `untrack`: what an operator sees, and that a change is published without any poll."""

import psycopg
import pytest
from typing_extensions import LiteralString

from embedding_assets_tests.cli.conftest import Project
from embedding_assets_tests.cli.test_collections import edit
from embedding_assets_tests.support.tracked import ARTICLES

_TOML = """
[collections.articles.source]
type = "postgres-table"
table = "articles"
key = "id"
content = "body"
title = "title"
updated_at = "updated_at"

[collections.articles.model]
name = "local/wordllama-256"
dimensions = 256
normalized = true
"""


def _execute(url: str, *statements: LiteralString) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def tracked(applied: Project, database_url: str) -> Project:
    """Collection `articles` over a table of two rows, published and then tracked."""
    _execute(
        database_url, ARTICLES, "INSERT INTO articles (id, title, body) VALUES (1, 'One', 'bread'), (2, 'Two', 'ships')"
    )
    applied.configure(_TOML)
    assert applied.call("collections", "apply").code == 0
    assert applied.call("run", "articles").code == 0
    called = applied.call("collections", "track", "articles")
    assert (called.code, called.out) == (0, "articles: public.articles tells of its changes\n")
    return applied


def test_a_change_of_a_tracked_table_is_published_without_a_poll(tracked: Project, database_url: str) -> None:
    _execute(
        database_url,
        "UPDATE articles SET body = 'Sourdough of rye', updated_at = '1970-01-01' WHERE id = 1",
        "DELETE FROM articles WHERE id = 2",
        "INSERT INTO articles (id, body) VALUES (3, 'Anchors and sails')",
    )
    run = tracked.call("run", "articles", "--no-sync", "--json").json()
    assert (run["published"], run["deleted"]) == (2, 1)
    found = tracked.call("search", "bread", "-c", "articles", "--json").json()
    assert {result["content"] for result in found} == {"Sourdough of rye", "Anchors and sails"}


def test_tracking_twice_has_nothing_to_do_and_untracking_ends_it(tracked: Project, database_url: str) -> None:
    assert "nothing to do: public.articles tells" in tracked.call("collections", "track", "articles").out
    assert tracked.call("collections", "untrack", "articles").out == "articles: its triggers are gone\n"
    assert "nothing to do" in tracked.call("collections", "untrack", "articles").out
    _execute(database_url, "DELETE FROM articles")
    assert "queue is empty" in tracked.call("run", "articles", "--no-sync").out


def test_a_dry_run_prints_sql_that_psql_takes_and_changes_nothing(tracked: Project, database_url: str) -> None:
    dropping = tracked.call("collections", "untrack", "articles", "--dry-run").out
    assert "nothing to do" in tracked.call("collections", "track", "articles").out
    assert tracked.call("collections", "untrack", "articles").code == 0
    making = tracked.call("collections", "track", "articles", "--dry-run").out
    _execute(database_url, making.encode().decode(), dropping, making)  # pyright: ignore[reportArgumentType]
    assert "nothing to do" in tracked.call("collections", "track", "articles").out


def test_other_columns_are_applied_and_then_tracked(tracked: Project, database_url: str) -> None:
    edit('title = "title"\n', "")
    assert "other columns: embedding-assets collections track articles" in tracked.call("collections", "apply").out
    assert tracked.call("collections", "track", "articles").code == 0
    assert "other columns" not in tracked.call("collections", "apply").out
    _execute(database_url, "UPDATE articles SET title = 'Nobody reads it'")
    assert "queue is empty" in tracked.call("run", "articles", "--no-sync").out


def test_only_a_table_in_our_own_database_can_be_tracked(tracked: Project) -> None:
    called = tracked.call("collections", "track", "handbook")
    assert called.code == 1
    assert "embedding_assets.enqueue('handbook', …)" in called.err
    edit('table = "articles"', 'table = "articles"\nurl_env = "ELSEWHERE"')
    assert "collections untrack articles" in tracked.call("collections", "apply").out
    assert "without url_env" in tracked.call("collections", "track", "articles").err
    assert "not in the database" in tracked.call("collections", "track", "nothing").err


def test_a_collection_that_is_removed_takes_its_triggers_along(tracked: Project, database_url: str) -> None:
    edit(_TOML, "")
    assert tracked.call("collections", "remove", "articles", "--yes").code == 0
    _execute(database_url, "DELETE FROM articles")
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM embedding_assets.work_arrivals").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'embed_%'").fetchone() == (0,)
