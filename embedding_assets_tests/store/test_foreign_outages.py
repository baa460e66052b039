"""Somebody else's database that is away, restarts, hangs, or holds what nobody can read: each in its own time, each named."""

import socket
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.store import foreign_sessions, foreign_tables
from embedding_assets.store.foreign_sessions import ForeignSessions, Session
from embedding_assets_tests.support.cutting_proxy import cutting_proxy
from embedding_assets_tests.support.foreign import ARTICLES, execute, keyed, opened


def _error(url: str) -> SourceError:
    with opened(url) as table, pytest.raises(SourceError) as caught:
        list(table.listing())
    return caught.value


@contextmanager
def _silent_server() -> Generator[int, None, None]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            try:
                while True:
                    taken.append(server.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)
        for connection in taken:
            connection.close()


def test_a_server_that_is_away_is_told_with_its_variable_and_without_its_password() -> None:
    error = _error("postgresql://reader:sesame-open@127.0.0.1:1/app")
    assert error.error_type is ErrorType.ROOT_UNAVAILABLE
    assert ("public.articles" in str(error), "APP_DATABASE_URL" in str(error), "sesame" in str(error)) == (
        True,
        True,
        False,
    )


def test_a_database_that_is_not_there_is_told(empty_database_url: str) -> None:
    name = urlsplit(empty_database_url).path.lstrip("/")
    assert "does not exist" in str(_error(empty_database_url.replace(name, "nowhere")))


def test_a_server_that_never_answers_does_not_hold_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_sessions, "_CONNECT_SECONDS", 2)
    with _silent_server() as port:
        assert _error(f"postgresql://reader@127.0.0.1:{port}/app").error_type is ErrorType.ROOT_UNAVAILABLE


def test_a_connection_that_was_cut_between_two_reads_is_made_anew(empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES, "INSERT INTO articles (body) VALUES ('text')")
    [folder] = parse_qs(urlsplit(empty_database_url).query)["host"]
    name = urlsplit(empty_database_url).path
    with (
        cutting_proxy(Path(folder) / ".s.PGSQL.5432") as proxy,
        opened(f"postgresql://postgres@127.0.0.1:{proxy.port}{name}") as table,
    ):
        assert table.read("1", max_bytes=100) is not None
        proxy.cut()
        assert table.read("1", max_bytes=100) is not None
        assert proxy.cuts == 1


def test_a_server_that_goes_away_between_two_pages_has_not_listed_whole(empty_database_url: str) -> None:
    execute(empty_database_url, ARTICLES, "INSERT INTO articles (body) SELECT n FROM generate_series(1, 30) AS n")
    [folder] = parse_qs(urlsplit(empty_database_url).query)["host"]
    name = urlsplit(empty_database_url).path
    with ExitStack() as closing:
        with cutting_proxy(Path(folder) / ".s.PGSQL.5432") as proxy:
            url = f"postgresql://postgres@127.0.0.1:{proxy.port}{name}"
            listing = closing.enter_context(opened(url, rows_a_page=10)).listing()
            assert [next(listing).document_key for _ in range(10)][-1] == "10"
            proxy.cut()
            assert next(listing).document_key == "11", "a page is asked for anew, where the one before ended"
        with pytest.raises(SourceError) as caught:
            list(listing)
    assert caught.value.error_type is ErrorType.ROOT_UNAVAILABLE


def test_a_server_that_goes_silent_in_the_middle_of_a_statement_is_cut_off(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_sessions, "_GRACE_SECONDS", 0.3)
    sessions = ForeignSessions(lambda: empty_database_url, named="APP_DATABASE_URL")

    def without_its_limit(session: Session) -> None:
        session.execute("SET LOCAL statement_timeout = 0")
        session.execute("SELECT pg_sleep(60)")

    with pytest.raises(SourceError) as caught:
        sessions.run(without_its_limit, seconds=0.2, what="a sleep")
    assert caught.value.error_type is ErrorType.ROOT_UNAVAILABLE
    assert sessions.run(lambda session: session.execute("SELECT 1").fetchone(), seconds=5, what="1") == (1,)
    sessions.close()


def test_a_document_that_takes_too_long_fails_alone(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_tables, "_FETCH_SECONDS", 1)
    execute(
        empty_database_url,
        "CREATE VIEW items AS SELECT id, CASE WHEN id = 2 THEN pg_sleep(60)::text ELSE 'text' END AS body "
        "FROM generate_series(1, 3) AS id",
    )
    with opened(empty_database_url, keyed("id")) as table:
        with pytest.raises(SourceError, match="took too long") as caught:
            table.read("2", max_bytes=100)
        assert caught.value.error_type is ErrorType.SOURCE_UNREADABLE
        assert table.read("3", max_bytes=100) is not None


def test_a_page_that_takes_too_long_is_asked_for_in_smaller_ones(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_tables, "_PAGE_SECONDS", 0.5)
    execute(
        empty_database_url,
        "CREATE TABLE base (id integer PRIMARY KEY)",
        "INSERT INTO base SELECT generate_series(1, 100)",
        "CREATE FUNCTION slow(integer) RETURNS text STABLE LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(0.01); RETURN $1; END $$",
        "CREATE VIEW items AS SELECT id, slow(id) AS body FROM base",
    )
    with opened(empty_database_url, keyed("id"), rows_a_page=128) as table:
        assert [listed.document_key for listed in table.listing()] == [str(n) for n in range(1, 101)]


def test_a_row_that_alone_takes_too_long_ends_the_listing_as_not_whole(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_tables, "_PAGE_SECONDS", 0.2)
    execute(empty_database_url, "CREATE VIEW items AS SELECT 1 AS id, pg_sleep(60)::text AS body")
    with opened(empty_database_url, keyed("id"), rows_a_page=8) as table, pytest.raises(SourceError) as caught:
        list(table.listing())
    assert caught.value.error_type is ErrorType.ROOT_UNAVAILABLE


def test_a_table_that_is_locked_for_long_fails_the_document_and_not_the_source(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_tables, "_FETCH_SECONDS", 1)
    execute(empty_database_url, ARTICLES, "INSERT INTO articles (body) VALUES ('text')")
    with opened(empty_database_url) as table, psycopg.connect(empty_database_url) as migration:
        assert table.read("1", max_bytes=100) is not None
        migration.execute("LOCK TABLE articles")
        with pytest.raises(SourceError) as caught:
            table.read("1", max_bytes=100)
        assert caught.value.error_type is ErrorType.SOURCE_UNREADABLE


def test_bytes_that_are_no_text_fail_their_document_alone(administration: psycopg.Connection, server_url: str) -> None:
    administration.execute("CREATE DATABASE bytes_only ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'")
    url = server_url.replace("/postgres?", "/bytes_only?")
    try:
        execute(
            url,
            "CREATE TABLE items (id integer PRIMARY KEY, body text)",
            "INSERT INTO items VALUES (1, E'\\xff'), (2, 'a')",
        )
        with opened(url, keyed("id")) as table:
            with pytest.raises(SourceError, match=r"'1' of public\.items holds bytes that are no UTF-8") as caught:
                table.read("1", max_bytes=100)
            assert caught.value.error_type is ErrorType.UNDECODABLE
            assert table.read("2", max_bytes=100) is not None
            assert [listed.document_key for listed in table.listing()] == ["1", "2"]
    finally:
        administration.execute("DROP DATABASE bytes_only WITH (FORCE)")
