"""The runbook has one entry for each alert, whole, and its commands are ours."""

import re
import shlex

import pytest
from typer.testing import CliRunner

from dashboards_source.__main__ import ROOT
from dashboards_source.rules import ALERTS
from embedding_assets.cli.app import app

_PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
_ENTRIES = dict(re.findall(r"^### (Embedding\w+)\n(.*?)(?=^##|\Z)", _PAGE, re.MULTILINE | re.DOTALL))
_PARTS = ("**Symptom.**", "**Meaning.**", "**First.**", "**Resolution.**")
_NAMES = sorted({alert.name for alert in ALERTS})


def test_every_alert_has_one_entry_and_every_entry_an_alert() -> None:
    assert sorted(re.findall(r"^### (Embedding\w+)$", _PAGE, re.MULTILINE)) == _NAMES


@pytest.mark.parametrize("name", _NAMES)
def test_an_entry_has_symptom_meaning_three_commands_and_resolution_in_this_order(name: str) -> None:
    entry = _ENTRIES[name]
    places = [entry.find(part) for part in _PARTS]
    assert -1 not in places
    assert places == sorted(places)
    assert len(_commands(entry)) == 3


@pytest.mark.parametrize("name", _NAMES)
def test_the_commands_of_an_entry_are_commands_of_our_program(name: str) -> None:
    for line in _commands(_ENTRIES[name]):
        program, *arguments = shlex.split(line, comments=True)
        assert program == "embedding-assets"
        assert not _usage_error(arguments)


@pytest.mark.parametrize(
    "wrong", [["status", "--yaml"], ["stat"], ["failures", "list", "--type"], ["failures", "lists"]]
)
def test_a_command_that_we_do_not_have_would_be_found(wrong: list[str]) -> None:
    assert _usage_error(wrong)


def _commands(entry: str) -> list[str]:
    [block] = re.findall(r"```console\n(.*?)```", entry, re.DOTALL)
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


def _usage_error(arguments: list[str]) -> str:
    """What the program says against these arguments; with --help it reads them all and then does nothing."""
    done = CliRunner().invoke(app, [*arguments, "--help"])
    return "" if done.exit_code == 0 else done.output


def test_every_variable_and_page_that_the_runbook_names_exists() -> None:
    settings = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert [name for name in re.findall(r"EMBEDDING_ASSETS_[A-Z_]+", _PAGE) if f"`{name}`" not in settings] == []
    for page, anchor in re.findall(r"\]\((\w*(?:\.md)?)#([\w-]+)\)", _PAGE):
        text = (ROOT / "docs" / (page or "runbook.md")).read_text(encoding="utf-8")
        anchors = {
            re.sub(r"[^\w -]", "", head).lower().replace(" ", "-")
            for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        }
        assert anchor in anchors, (page, anchor)
