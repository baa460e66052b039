"""Sources from a collection's table with what the process gives them: URLs out of the environment, never out of the file."""

from collections.abc import Mapping

import pytest

from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.domain.ports import IncrementalSource
from embedding_assets.sources import close_source, source_of
from embedding_assets_tests.support.foreign import ARTICLES, execute

_ARTICLES: dict[str, object] = {
    "type": "postgres-table",
    "url_env": "APP_DATABASE_URL",
    "table": "articles",
    "key": "id",
    "content": ["title", "body"],
    "title": "title",
}


def _nowhere() -> str:
    raise AssertionError("our own database is not asked for")


def _refusal(changes: Mapping[str, object]) -> str:
    config = {key: value for key, value in {**_ARTICLES, **changes}.items() if value is not None}
    with pytest.raises(ValueError, match="source of type 'postgres-table'") as caught:
        source_of(config, _nowhere)
    return str(caught.value)


def test_the_table_of_the_database_that_the_environment_names_is_read(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(empty_database_url, ARTICLES, "INSERT INTO articles (title, body) VALUES ('T', 'text')")
    source = source_of({**_ARTICLES, "updated_at": "updated_at", "overlap": 60}, _nowhere)
    monkeypatch.setenv("APP_DATABASE_URL", empty_database_url + "\n")
    assert [listed.document_key for listed in source.list_documents()] == ["1"]
    assert source.fetch("1").content == "T\n\ntext"
    assert isinstance(source, IncrementalSource)
    assert [change.document_key for change in source.changes_since(source.next_cursor(None))] == ["1"]
    close_source(source)


def test_a_table_without_a_variable_is_in_our_own_database(empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES, "INSERT INTO articles (body) VALUES ('text')")
    source = source_of({key: value for key, value in _ARTICLES.items() if key != "url_env"}, lambda: empty_database_url)
    assert [listed.document_key for listed in source.list_documents()] == ["1"]
    assert not isinstance(source, IncrementalSource), "without a time of change each poll lists everything"
    close_source(source)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("", "APP_DATABASE_URL is not set"),
        ("mysql://app:sesame@host/app", "APP_DATABASE_URL is no URL of a PostgreSQL"),
    ],
)
def test_a_variable_that_is_not_there_or_of_another_kind_is_named_without_its_value(
    value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_DATABASE_URL", value)
    with pytest.raises(SourceError, match=told) as caught:
        list(source_of(_ARTICLES, _nowhere).list_documents())
    assert (caught.value.error_type, "sesame" in str(caught.value)) == (ErrorType.ROOT_UNAVAILABLE, False)


def test_a_url_in_the_file_is_refused_without_being_repeated() -> None:
    message = _refusal({"url_env": "postgresql://app:sesame@host/app"})
    assert ("APP_DATABASE_URL" in message, "sesame" in message) == (True, False)
    assert "sesame" not in _refusal({"url": "postgresql://app:sesame@host/app"})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"table": None}, "table is missing; it must be a table, such as 'support.tickets'"),
        ({"table": "a.b.c"}, "table = 'a.b.c' must be schema.table"),
        ({"key": []}, "key = [] must be a column, or several"),
        ({"key": ["id", "id"]}, "key = ['id', 'id'] must be a column, or several"),
        ({"content": None}, "content is missing"),
        ({"content": ["body", 3]}, "content = ['body', 3] must be a column, or several"),
        ({"metadata": {"a": "b"}}, "metadata = {'a': 'b'} must be a list of columns"),
        ({"max_bytes": 0}, "max_bytes = 0 must be 1 or more"),
        ({"overlap": 60}, "overlap = 60 must be a number of seconds together with `updated_at`"),
        ({"updated_at": "updated_at", "overlap": 90_000}, "overlap = 90000 must be 0 to 86400"),
        ({"where": "true"}, "unknown key 'where'"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(changes: Mapping[str, object], told: str) -> None:
    assert told in _refusal(changes)
