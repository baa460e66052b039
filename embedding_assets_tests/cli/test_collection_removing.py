"""`collections pause`, `resume` and `remove`, called as an operator would."""

import os
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from embedding_assets.cli.session import program
from embedding_assets_tests.cli.conftest import Project
from embedding_assets_tests.cli.test_collections import edit

_BELONGING = """
    SELECT c.relname FROM pg_class AS c
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'collection_id'
    WHERE c.relnamespace = 'embedding_assets'::regnamespace AND c.relkind = 'r'
      AND c.relname NOT IN ('rate_limit_slots', 'count_deltas')
"""
# The first statement about documents waits, so that there is a middle to be killed in.
_SLOW = """
    CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
    CREATE TRIGGER slow BEFORE DELETE ON embedding_assets.documents EXECUTE FUNCTION public.slow();
"""


def _rows(url: str, collection_id: int) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        tables = [row[0] for row in connection.execute(_BELONGING)]
        counts = {
            table: connection.execute(
                f"SELECT count(*) FROM embedding_assets.{table} WHERE collection_id = {collection_id}".encode()
            ).fetchone()
            for table in tables
        }
    return {table: count[0] for table, count in counts.items() if count and count[0]}


def _out_of_file() -> None:
    """Leave `handbook` to nobody; the file keeps another collection."""
    file = Path(os.environ["EMBEDDING_ASSETS_COLLECTIONS_FILE"])
    file.write_text(
        file.read_text(encoding="utf-8").replace("collections.handbook", "collections.other"), encoding="utf-8"
    )


@pytest.fixture
def orphaned(published: Project) -> Project:
    """Two published documents and a failed one of a collection that is no longer in the file, beside one that is."""
    published.folder.joinpath("bad.md").write_bytes(b"\xff\xfe\x00\x80")
    assert published.call("run", "handbook").code == 0
    _out_of_file()
    assert published.call("collections", "apply").code == 0
    assert published.call("run", "other").code == 0
    return published


def test_a_pause_by_hand_outlives_apply_and_is_taken_back_by_resume(applied: Project) -> None:
    called = applied.call("collections", "pause", "handbook")
    assert (called.code, "until `embedding-assets collections resume handbook`" in called.out) == (0, True)
    assert applied.call("collections", "apply").code == 0
    assert "paused by hand" in applied.call("collections", "list").out
    assert "handbook: paused by hand for" in applied.call("status").out
    [row] = applied.call("status", "--json").json()["collections"]
    assert row["paused"] is True
    assert applied.call("collections", "resume", "handbook").code == 0
    assert applied.call("status", "--json").json()["collections"][0]["paused"] is False


def test_resume_does_not_overrule_the_file(applied: Project) -> None:
    edit("[collections.handbook.source]", "[collections.handbook]\npaused = true\n[collections.handbook.source]")
    assert applied.call("collections", "apply").code == 0
    assert applied.call("collections", "pause", "handbook").code == 0
    called = applied.call("collections", "resume", "handbook")
    assert (called.code, "still paused by its file" in called.err) == (1, True)
    assert "paused by its file" in applied.call("status").out


@pytest.mark.parametrize("command", ["pause", "resume", "remove"])
def test_a_collection_that_is_not_there_is_told(applied: Project, command: str) -> None:
    called = applied.call("collections", command, "nowhere")
    assert (called.code, "'nowhere'" in called.err) == (1, True)


def test_what_is_in_the_file_or_not_meant_is_not_removed(published: Project, database_url: str) -> None:
    called = published.call("collections", "remove", "handbook", "--yes")
    assert (called.code, "is in" in called.err) == (1, True)
    _out_of_file()
    called = published.call("collections", "remove", "handbook")
    assert (called.code, "add --yes" in called.err) == (1, True)
    assert called.out.startswith("handbook: 2 documents, 2 chunks, vectors under 1 model (")
    assert _rows(database_url, 1)["documents"] == 2


def test_a_missing_file_is_no_leave_to_remove(published: Project) -> None:
    Path(os.environ["EMBEDDING_ASSETS_COLLECTIONS_FILE"]).unlink()
    assert "No such file" in published.call("collections", "remove", "handbook", "--yes").err


def test_a_removed_collection_leaves_nothing_but_its_history_and_harms_no_other(
    orphaned: Project, database_url: str
) -> None:
    others = _rows(database_url, 2)
    counted = orphaned.call("collections", "remove", "handbook", "--json").json
    facts = counted()
    assert (facts["documents"], facts["failed_documents"], facts["failed_attempts"], facts["models"]) == (2, 1, 1, 1)
    assert orphaned.call("collections", "remove", "handbook", "--yes").code == 0
    assert _rows(database_url, 1) == {}
    assert _rows(database_url, 2) == others
    with psycopg.connect(database_url) as connection:
        names = connection.execute("SELECT name FROM embedding_assets.collections").fetchall()
        deltas = connection.execute(
            "SELECT sum(delta) FROM embedding_assets.count_deltas WHERE collection_id = 1"
        ).fetchone()
        assert deltas in {(0,), (None,)}
        [table] = connection.execute(
            "SELECT relname FROM pg_class WHERE relname ~ '^embeddings_[0-9]+_[0-9]+$'"
        ).fetchall()
    assert (names, table[0].startswith("embeddings_2_")) == ([("other",)], True)
    assert orphaned.call("search", "bread", "--json").json()[0]["document_key"] == "bread.md"
    assert "there is no collection 'handbook'" in orphaned.call("collections", "remove", "handbook", "--yes").err


def test_a_removal_that_was_killed_half_way_is_finished_by_the_next(orphaned: Project, database_url: str) -> None:
    others = _rows(database_url, 2)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(_SLOW)
        remover = subprocess.Popen([program("embedding-assets"), "collections", "remove", "handbook", "--yes"])
        try:
            while "publications" in _rows(database_url, 1):
                assert remover.poll() is None, "it ended before it was killed"
                time.sleep(0.02)
        finally:
            remover.kill()
            remover.wait()
        assert "documents" in _rows(database_url, 1)
        assert "handbook is half removed" in orphaned.call("collections", "list").out
        # Nobody finds what is half removed, and its name is free.
        assert "there is no collection 'handbook'" in orphaned.call("collections", "show", "handbook").err
        assert [one["collection"] for one in orphaned.call("status", "--json").json()["collections"]] == ["other"]
        assert orphaned.call("collections", "remove", "handbook", "--yes").code == 0
        assert _rows(database_url, 1) == {}
        assert _rows(database_url, 2) == others
