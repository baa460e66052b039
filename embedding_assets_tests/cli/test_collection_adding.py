"""`collections add`: a table more, every byte before it as it was, and nothing written that could not be read back."""

import os
from pathlib import Path

import pytest

from embedding_assets.cli.toml_writing import NotWritten, replace_file
from embedding_assets.collections_file import load_collections_file
from embedding_assets_tests.cli.conftest import Called, Project

_LOCAL = ("--model", "local/wordllama-256")


def _file() -> Path:
    return Path(os.environ["EMBEDDING_ASSETS_COLLECTIONS_FILE"])


def _add(project: Project, *more: str, name: str = "guides") -> Called:
    return project.call("collections", "add", name, "--path", str(project.folder), *_LOCAL, *more)


def test_a_collection_is_written_behind_what_is_there_and_can_be_applied_and_run(applied: Project) -> None:
    applied.configure("# a comment at the end, without a line end")
    before = _file().read_bytes()
    called = _add(
        applied, "--set", "chunking.size=400", "--set", "chunking.strategy=markdown", "--owner", 'the "docs" team'
    )
    assert (called.code, "collections apply" in called.out) == (0, True)
    assert _file().read_bytes().startswith(before)
    entry = load_collections_file(_file()).collections["guides"]
    assert (entry.owner, entry.chunking.size, entry.chunking.strategy) == ('the "docs" team', 400, "markdown")
    assert (entry.source["path"], entry.model.normalized) == (str(applied.folder), True)
    applied.write("guide.md", "# A guide\n\nText.")
    assert applied.call("collections", "apply").code == 0
    assert applied.call("run", "guides").code == 0
    assert applied.call("search", "guide", "-c", "guides", "--json").json()[0]["headings"] == ["A guide"]


def test_what_was_not_said_stands_there_as_a_comment_with_its_default(applied: Project) -> None:
    assert _add(applied).code == 0
    added = _file().read_text(encoding="utf-8").partition("# Added by")[2]
    assert "\n# size = 800                         # the longest chunk\n" in added
    assert '\n# input_template = "{content}"       # the text sent for a chunk' in added


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "chunking.sise=400"), "sise is not a known key; did you mean size?"),
        (("--set", "chunking.size=0"), "size is 0; allowed: 1 or more"),
        (("--set", "source.encodign=utf-8"), "unknown key 'encodign'"),
        (("--set", "model.input_template={heading}{content}"), "{heading} is not one of them"),
        (("--set", "chunking.size"), "is not KEY=VALUE"),
        (("--limit", "nobody"), "limit is 'nobody'; allowed: the name of a limit of this file"),
        (("--dimensions", "128"), "local/wordllama-256 has 256 dimensions, not 128"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_written(applied: Project, arguments: tuple[str, ...], said: str) -> None:
    before, beside = _file().read_bytes(), set(_file().parent.iterdir())
    called = _add(applied, *arguments)
    assert (called.code, said in called.err) == (1, True), called.err
    assert _file().read_bytes() == before
    assert set(_file().parent.iterdir()) == beside


def test_a_name_that_is_taken_or_is_none_is_refused(applied: Project) -> None:
    before = _file().read_bytes()
    assert "has a collection 'handbook' already" in _add(applied, name="handbook").err
    assert "guides-2" in _add(applied, name="guides-2").err
    assert "--dimensions" in applied.call("collections", "add", "a", "--path", "/", "--model", "openai/x").err
    assert _file().read_bytes() == before


def test_a_file_that_is_wrong_already_is_not_added_to(applied: Project) -> None:
    applied.configure("\n[collections.other\n")
    before = _file().read_bytes()
    called = _add(applied)
    assert (called.code, "not TOML" in called.err) == (1, True)
    assert _file().read_bytes() == before


def test_a_file_that_is_not_there_is_made(applied: Project) -> None:
    _file().unlink()
    called = _add(applied)
    assert (called.code, "is new" in called.err) == (0, True)
    assert list(load_collections_file(_file()).collections) == ["guides"]


def test_line_ends_links_and_the_mode_stay_as_they_are(applied: Project) -> None:
    real = _file().with_name("real.toml")
    real.write_bytes(_file().read_bytes().replace(b"\n", b"\r\n"))
    real.chmod(0o640)
    _file().unlink()
    _file().symlink_to(real)
    before = real.read_bytes()
    assert _add(applied).code == 0
    assert _file().is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert real.read_bytes().startswith(before)
    assert real.read_bytes().count(b"\n") == real.read_bytes().count(b"\r\n")
    assert "guides" in load_collections_file(_file()).collections


def test_what_somebody_else_wrote_meanwhile_is_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "collections.toml"
    file.write_text("theirs", encoding="utf-8")
    with pytest.raises(NotWritten, match="somebody else changed it"):
        replace_file(file, "as I read it", "mine")
    assert file.read_text(encoding="utf-8") == "theirs"
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(NotWritten, match="nothing was written"):
        replace_file(tmp_path / "no" / "folder.toml", None, "mine")


def test_any_text_comes_back_as_it_was_given(applied: Project) -> None:
    owner = 'quotes " and \\ and \n lines \x7f 👩\u200d👧'
    assert _add(applied, "--owner", owner).code == 0
    assert load_collections_file(_file()).collections["guides"].owner == owner
