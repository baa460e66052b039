"""The program as a whole: help, exit codes, one clear sentence for an error."""

import re

import pytest

from embedding_assets.cli.app import app
from embedding_assets_tests.cli.conftest import Project

_COMMANDS = [
    "demo", "up", "down", "search", "status", "explain", "doctor", "sync", "run", "reembed", "maintain", "migrate", "chunk",
    "launch", "capacity", "slo",
]  # fmt: skip
_GROUPED = [
    "collections apply", "collections list", "collections show", "collections track",
    "collections untrack", "failures list", "failures show", "failures retry",
    "failures dismiss", "models list", "models retire",
    "roles grant",
]  # fmt: skip


def test_the_commands_are_these() -> None:
    assert sorted(one.callback.__name__ for one in app.registered_commands if one.callback) == sorted(_COMMANDS)


@pytest.mark.parametrize("command", ["", "collections", "failures", "models", "roles", *_COMMANDS, *_GROUPED])
def test_every_help_has_an_example_of_that_very_command(project: Project, command: str) -> None:
    called = project.call(*command.split(), "--help")
    assert called.code == 0
    assert re.search(rf"Example:\n +embedding-assets {command}", called.out)


@pytest.mark.parametrize(
    "command",
    ["migrate", "status", "search x", "run handbook", "sync", "doctor", "demo", "up", "down", "failures list"],
)
def test_without_a_database_url_a_command_names_the_variable_and_fails(project: Project, command: str) -> None:
    called = project.call(*command.split())
    assert (called.code, called.out) == (1, "")
    assert called.err.startswith("error: EMBEDDING_ASSETS_DATABASE_URL is not set")
    assert "Traceback" not in called.err


def test_a_database_that_is_away_is_told_without_its_password(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDING_ASSETS_DATABASE_URL", "postgresql://w:hunter2@127.0.0.1:1/x?sslpassword=hunter2")
    called = project.call("failures", "list")
    assert called.code == 1
    assert "cannot reach the database" in called.err
    assert "hunter2" not in called.err


def test_debug_shows_where_an_error_came_from(project: Project) -> None:
    with pytest.raises(Exception, match="EMBEDDING_ASSETS_DATABASE_URL"):
        project.call("--debug", "status")


@pytest.mark.parametrize(
    "arguments", ["nonsense", "search", "run handbook --shards 16", "run handbook --shards x", "search a -k 0"]
)
def test_wrong_usage_ends_with_2_before_anything_is_connected(project: Project, arguments: str) -> None:
    assert project.call(*arguments.split()).code == 2


def test_a_filter_that_is_no_json_object_is_wrong_usage(project: Project) -> None:
    assert project.call("search", "bread", "--filter", "[1]").code == 2


def test_an_unreachable_server_is_one_sentence(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_ASSETS_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    called = project.call("status")
    assert called.code == 1
    assert called.err.startswith("error: cannot reach the database")
    assert called.err.count("error:") == 1


def test_each_mistake_in_the_settings_has_a_line_of_its_own(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_ASSETS_LEASE_SECONDS", "1m")
    first, second = project.call("status").err.splitlines()
    assert first.startswith("error: EMBEDDING_ASSETS_DATABASE_URL is not set")
    assert second == "       EMBEDDING_ASSETS_LEASE_SECONDS is '1m'; allowed: 1 to 3,600 seconds"
