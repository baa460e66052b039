"""failures list, show, retry and dismiss, called as a person or a script would."""

import threading
from typing import Any

import psycopg
import pytest
import typer

from embedding_assets.cli.durations import parse_duration
from embedding_assets_tests.cli.conftest import Project

BAD = b"\xff\xfe\x00\x80"


@pytest.fixture
def failing(applied: Project) -> Project:
    """Three documents that cannot be decoded and a good one, after a run."""
    for name in ("a", "b", "c"):
        (applied.folder / f"{name}.md").write_bytes(BAD)
    applied.write("good.md", "A good document.")
    assert applied.call("run", "handbook").code == 0
    return applied


@pytest.fixture
def escalated(failing: Project, database_url: str) -> Project:
    """All three are given up."""
    _escalate(database_url)
    return failing


def _escalate(database_url: str) -> None:
    _execute(database_url, "UPDATE embedding_assets.failed_documents SET status = 'escalated', next_retry_at = NULL")


def _execute(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def _statuses(project: Project) -> dict[str, str]:
    everything = ("retrying", "queued", "escalated", "dismissed", "resolved")
    asked = [part for status in everything for part in ("--status", status)]
    listed = project.call("failures", "list", *asked, "--json").json()["documents"]
    return {one["document_key"]: one["status"] for one in listed}


def test_failed_documents_are_listed_with_what_comes_next(failing: Project) -> None:
    called = failing.call("failures", "list")
    assert [line.split()[:4] for line in called.out.splitlines()[2:]] == [
        ["handbook", f"{name}.md", "retrying", "undecodable"] for name in ("a", "b", "c")
    ]
    assert called.out.splitlines()[2].rstrip().endswith("in 5 min")
    listed = failing.call("failures", "list", "--limit", "2", "--json").json()
    assert (listed["total"], [one["document_key"] for one in listed["documents"]]) == (3, ["a.md", "b.md"])
    assert (listed["documents"][0]["failure_class"], listed["documents"][0]["attempts"]) == ("poison", 1)
    assert "and 1 more document" in failing.call("failures", "list", "--limit", "2").err


@pytest.mark.parametrize(
    ("asked", "total"),
    [
        (["--class", "poison"], 3),
        (["--class", "transient"], 0),
        (["--type", "undecodable", "-c", "handbook"], 3),
        (["--type", "too_large"], 0),
        (["--collection", "elsewhere"], 0),
        (["--status", "escalated"], 0),
        (["--status", "escalated", "--status", "retrying"], 3),
        (["--older-than", "1h"], 0),
        (["--older-than", "0s"], 3),
        (["--key", "b.md", "--key", "nothing.md"], 1),
    ],
)
def test_a_filter_leaves_those_that_fit(failing: Project, asked: list[str], total: int) -> None:
    assert failing.call("failures", "list", *asked, "--json").json()["total"] == total


@pytest.mark.parametrize("wrong", [["--type", "no_such"], ["--status", "broken"], ["--older-than", "soon"]])
def test_a_filter_that_cannot_be_meant_is_wrong_usage(failing: Project, wrong: list[str]) -> None:
    assert failing.call("failures", "list", *wrong).code == 2


def test_show_has_the_whole_history(failing: Project) -> None:
    assert failing.call("failures", "retry", "--key", "a.md").code == 0
    assert failing.call("run", "handbook").code == 0
    [shown] = failing.call("failures", "show", "a.md", "--json").json()
    assert (shown["status"], shown["episode"], shown["attempts"]) == ("retrying", 2, 1)
    assert [(one["episode"], one["attempt"]) for one in shown["history"]] == [(1, 1), (2, 1)]
    assert all(one["seconds"] > 0 and one["failure_class"] == "poison" for one in shown["history"])
    called = failing.call("failures", "show", "a.md")
    assert "episode 2, attempt 1, fetching, " in called.out
    assert failing.call("failures", "show", "good.md").code == 1


def test_retry_of_a_filter_asks_for_yes_and_changes_nothing_without(escalated: Project) -> None:
    called = escalated.call("failures", "retry", "-c", "handbook")
    assert (called.code, called.out) == (1, "")
    assert "3 documents would be put back in the queue: add --yes" in called.err
    assert set(_statuses(escalated).values()) == {"escalated"}


def test_a_dry_run_shows_what_is_meant_and_changes_nothing(escalated: Project) -> None:
    for command in ("retry", "dismiss"):
        called = escalated.call("failures", command, "--dry-run")
        assert called.code == 0
        assert "3 documents would be " in called.out
        assert "b.md" in called.out
    shown = escalated.call("failures", "retry", "--key", "b.md", "--dry-run", "--json").json()
    assert (shown["dry_run"], shown["done"], len(shown["documents"])) == (True, 0, 1)
    assert set(_statuses(escalated).values()) == {"escalated"}


def test_a_filter_that_takes_one_document_needs_no_yes(escalated: Project, database_url: str) -> None:
    _execute(database_url, "UPDATE embedding_assets.failed_documents SET error_type = 'x' WHERE document_key <> 'a.md'")
    assert escalated.call("failures", "retry", "--type", "undecodable").code == 0
    assert _statuses(escalated)["a.md"] == "queued"


def test_retried_documents_are_processed_by_the_next_run(escalated: Project) -> None:
    for name in ("a", "b", "c"):
        escalated.write(f"{name}.md", "Readable now.")
    called = escalated.call("failures", "retry", "--yes")
    assert (called.code, called.out) == (0, "3 documents put back in the queue\n")
    assert escalated.call("run", "handbook", "--no-sync", "--json").json()["published"] == 3
    assert set(_statuses(escalated).values()) == {"resolved"}


def test_keys_need_no_yes_and_what_cannot_be_retried_is_said(escalated: Project) -> None:
    called = escalated.call("failures", "retry", "--key", "a.md", "--key", "b.md")
    assert (called.code, called.out) == (0, "2 documents put back in the queue\n")
    again = escalated.call("failures", "retry", "--key", "a.md", "--key", "c.md")
    assert (again.code, again.out) == (0, "1 document put back in the queue\n")
    assert "'a.md' is queued and left as it is" in again.err


def test_a_key_that_never_failed_stops_the_command_before_anything_is_done(escalated: Project) -> None:
    called = escalated.call("failures", "retry", "--key", "a.md", "--key", "good.md")
    assert called.code == 1
    assert "no failed document 'good.md'" in called.err
    assert _statuses(escalated)["a.md"] == "escalated"


def test_two_that_retry_at_once_move_each_document_once(escalated: Project, database_url: str) -> None:
    from embedding_assets.cli.failures import _find, _with_database  # pyright: ignore[reportPrivateUsage]
    from embedding_assets.cli.session import run_async
    from embedding_assets.pipeline import reprocessing
    from embedding_assets.store.triage import FailureFilter

    found, _ = _find(FailureFilter())
    done: list[int] = []
    people = [
        threading.Thread(
            target=lambda: done.append(run_async(lambda: _with_database(reprocessing.retry, found))), daemon=True
        )
        for _ in range(4)
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sum(done) == 3
    arrived = _execute(database_url, "SELECT document_key FROM embedding_assets.work_arrivals ORDER BY 1")
    assert arrived == [("a.md",), ("b.md",), ("c.md",)]
    assert escalated.call("failures", "show", "a.md", "--json").json()[0]["episode"] == 2


def test_a_dismissed_document_is_left_alone_until_its_content_changes(escalated: Project) -> None:
    assert escalated.call("failures", "dismiss", "--key", "a.md").out == "1 document dismissed\n"
    assert escalated.call("failures", "list", "--json").json()["total"] == 2
    assert escalated.call("run", "handbook", "--json").json()["failed"] == 0
    [told] = escalated.call("explain", "a.md", "--json").json()
    assert told["place"] == "dismissed"
    assert escalated.call("failures", "retry", "--yes", "--dry-run", "--json").json()["documents"][0][
        "document_key"
    ] == ("b.md")
    escalated.write("a.md", "Readable now, and longer than before.")
    assert escalated.call("run", "handbook", "--json").json()["published"] == 1
    assert _statuses(escalated)["a.md"] == "resolved"


def test_a_dismissed_document_can_be_taken_back_by_its_status(escalated: Project) -> None:
    assert escalated.call("failures", "dismiss", "--yes").code == 0
    assert escalated.call("failures", "retry", "--yes").out == "0 documents put back in the queue\n"
    assert escalated.call("failures", "retry", "--status", "dismissed", "--yes").code == 0
    assert set(_statuses(escalated).values()) == {"queued"}


def test_a_key_made_to_fool_a_terminal_is_shown_and_not_obeyed(applied: Project) -> None:
    (applied.folder / "trap[red]\u202e\x1b[31m.md").write_bytes(BAD)
    assert applied.call("run", "handbook").code == 0
    for called in (
        applied.call("failures", "list"),
        applied.call("failures", "show", "trap[red]\u202e\x1b[31m.md"),
        applied.call("failures", "retry", "--key", "\x1b[31m\u202e.md"),
        applied.call("failures", "retry", "--dry-run"),
    ):
        assert not {"\x1b", "\u202e"} & set(called.out + called.err)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1.5h", 5400), (" 7d ", 604_800)])
def test_a_span_of_time_is_read_in_its_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "5 min", "-5m", "h", "1e3s", "٣m"])
def test_what_is_no_span_of_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as 90s, 30m, 2h or 7d"):
        parse_duration(text)
