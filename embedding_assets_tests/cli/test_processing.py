"""migrate, sync and run, called as a person would."""

import os
import signal
import subprocess
import sys
import time

import psycopg
import pytest

from embedding_assets_tests.cli.conftest import Project


def test_migrate_applies_what_is_missing_and_then_nothing(
    project: Project, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDING_ASSETS_DATABASE_URL", empty_database_url)
    assert project.call("migrate").out.startswith("applied 0001")
    assert project.call("migrate").out == "nothing to do: the schema is up to date\n"


def test_a_database_without_migrations_says_which_command_helps(
    project: Project, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDING_ASSETS_DATABASE_URL", empty_database_url)
    called = project.call("status")
    assert called.code == 1
    assert "run `embedding-assets migrate`" in called.err


def test_sync_counts_what_is_new_and_then_finds_nothing(applied: Project) -> None:
    applied.write("one.md", "One.")
    assert applied.call("sync", "--json").json()["handbook"] | {"enqueued": 1, "initial": True, "listed": 1} == {
        "listed": 1, "new": 1, "changed": 0, "missing": 0, "enqueued": 1, "withheld": 0, "unnameable": 0, "initial": True,
            "whole": True,
    }  # fmt: skip
    assert applied.call("sync").out == "handbook: 1 listed, 0 new, 0 changed, 0 missing, 0 enqueued\n"


def test_a_mass_deletion_is_withheld_with_exit_code_3_until_it_is_confirmed(applied: Project) -> None:
    for number in range(30):
        applied.write(f"{number}.md", f"Number {number}.")
    assert applied.call("run", "handbook").code == 0
    for number in range(25):
        (applied.folder / f"{number}.md").unlink()
    withheld = applied.call("sync")
    assert withheld.code == 3
    assert "25 deletions withheld" in withheld.err
    assert "embedding-assets sync handbook --confirm-deletions" in withheld.err
    confirmed = applied.call("sync", "handbook", "--confirm-deletions", "--json")
    assert (confirmed.code, confirmed.json()["handbook"]["enqueued"]) == (0, 25)
    assert applied.call("run", "handbook", "--json").json()["deleted"] == 25


def test_run_says_what_it_did_not_wait_for(applied: Project) -> None:
    applied.write("one.md", "More than one token.")
    applied.configure("[collections.handbook.budgets]\nmax_tokens_per_day = 1\n")
    assert applied.call("collections", "apply").code == 0
    called = applied.call("run", "handbook")
    assert (called.code, called.out.splitlines()[0]) == (0, "handbook: 0 published")
    assert "the rest waits in the queue: budget max_tokens_per_day of collection handbook is used up" in called.err


def test_run_publishes_what_changed_and_reports_a_failed_document_without_failing(applied: Project) -> None:
    applied.write("good.md", "A good document.")
    (applied.folder / "bad.md").write_bytes(b"\xff\xfe\x00\x80")
    called = applied.call("run", "handbook")
    assert called.code == 0
    assert "1 document published" in called.out
    assert "1 failed" in called.out
    assert "1 undecodable" in called.err
    assert "embedding-assets explain" in called.err


def test_run_of_some_shards_leaves_the_others_in_the_queue(applied: Project) -> None:
    for number in range(20):
        applied.write(f"{number}.md", f"Number {number}.")
    first = applied.call("run", "handbook", "--shards", "00-07", "--json").json()
    assert first["shards"] == list(range(8))
    rest = applied.call("run", "handbook", "--shards", "8-15", "--no-sync", "--json").json()
    assert 0 < first["published"] < 20
    assert first["published"] + rest["published"] == 20


def test_force_publishes_unchanged_documents_again_and_reuses_their_vectors(published: Project) -> None:
    assert published.call("run", "handbook", "--json").json()["published"] == 0
    forced = published.call("run", "handbook", "--force", "--json").json()
    assert (forced["published"], forced["chunks_reused"]) == (2, forced["chunks"])


def test_a_systemic_failure_is_exit_code_1_and_one_sentence(published: Project) -> None:
    for document in published.folder.iterdir():
        document.unlink()
    published.folder.rmdir()
    called = published.call("run", "handbook")
    assert called.code == 1
    assert called.err.startswith("error: cannot read")


def test_a_run_told_to_stop_gives_its_claims_back_and_ends_as_interrupted(applied: Project, database_url: str) -> None:
    for number in range(100):
        applied.write(f"{number}.md", f"Number {number}.")
    program = "import sys; from embedding_assets.cli.app import main; sys.exit(main(['run', 'handbook']))"
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        # As a shell's background job: SIGINT is ignored at its start.
        subprocess.Popen(
            ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-c", program], env=os.environ
        ) as run,
    ):
        # The model takes seconds to load, so that the first claims are still held when they are seen here.
        while not _leased(connection):
            assert run.poll() is None
            time.sleep(0.05)
        run.send_signal(signal.SIGTERM)
        assert run.wait() == 130
        assert _leased(connection) == 0
    assert applied.call("run", "handbook", "--json").json()["published"] == 100


def _leased(connection: psycopg.Connection) -> int:
    row = connection.execute(
        "SELECT count(*) FROM embedding_assets.work_items WHERE lease_owner IS NOT NULL"
    ).fetchone()
    assert row is not None
    return row[0]
