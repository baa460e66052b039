"""What documents say of themselves never acts on the terminal, whichever command shows it."""

import pytest

from embedding_assets_tests.cli.conftest import Called, Project

_TITLE = "# \x1b]0;owned\x07 \x1b[31mred\x1b[0m \u202eevil \u2066hidden [bold]markup[/bold]"
# One that is published and one that fails, both with names that act on a terminal or would pass for lines of ours.
_GOOD = "esc\x1b[2J\x07\nerror: all is lost\r\u202e[red].md"
_BAD = "bad\x1b[2J\x07\nerror: all is lost\r.md"
_COMMANDS = [
    ("status",),
    ("collections", "list"),
    ("search", "red", "-k", "5"),
    ("explain", _GOOD),
    ("explain", _BAD),
    ("explain", "bad"),
    ("failures", "list"),
    ("failures", "show", _BAD, "-c", "handbook"),
    ("failures", "retry", "--key", _BAD, "--dry-run"),
    ("doctor",),
]


@pytest.fixture
def hostile(applied: Project) -> Project:
    """Both documents, after a run."""
    (applied.folder / _GOOD).write_text(f"{_TITLE}\n\nRed text, \x9b31m and \x1b[31m.\n", encoding="utf-8")
    (applied.folder / _BAD).write_bytes(b"\xff")
    assert applied.call("run", "handbook").code == 0
    return applied


def _harmless(called: Called) -> None:
    for text in (called.out, called.err):
        assert not {"\x1b", "\x07", "\x9b", "\r", "\u202e", "\u2066"} & set(text)
        assert "all is lost" not in {line.removeprefix("error: ") for line in text.splitlines()}


@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("command", _COMMANDS, ids=lambda command: " ".join(command[:2])[:20])
def test_a_documents_text_is_shown_and_not_obeyed(
    hostile: Project, command: tuple[str, ...], as_json: tuple[str, ...]
) -> None:
    _harmless(hostile.call(*command, *as_json))


def test_both_documents_are_found_and_told_by_their_names(hostile: Project) -> None:
    [listed] = hostile.call("failures", "list", "--json").json()["documents"]
    assert (listed["document_key"], listed["error_type"]) == (_BAD, "undecodable")
    assert hostile.call("search", "red", "--json").json()[0]["document_key"] == _GOOD
    assert "\\x1b[2J\\x07\\nerror: all is lost\\r" in hostile.call("failures", "show", _BAD, "-c", "handbook").out
