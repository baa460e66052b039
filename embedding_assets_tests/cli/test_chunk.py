"""chunk, called as a person would."""

from embedding_assets_tests.cli.conftest import Project

_GUIDE = "# Guide\n\nWelcome to it.\n\n## Install\n\nRun the installer, then look around.\n"


def test_a_file_is_cut_without_a_database(project: Project) -> None:
    project.write("guide.md", _GUIDE)
    file = str(project.folder / "guide.md")
    called = project.call("chunk", file, "--strategy", "markdown", "--size", "50")
    assert called.code == 0
    assert called.out.splitlines()[0] == "chunk 0, characters 0-23, at most 13 tokens, under Guide"
    assert "under Guide > Install" in called.out
    assert called.out.splitlines()[-1] == "2 chunks by markdown, 50 characters, overlap 49"
    whole = project.call("chunk", file, "--strategy", "whole", "--json").json()
    assert [(one["start"], one["content"]) for one in whole] == [(0, _GUIDE.strip())]


def test_a_collections_own_chunking_is_where_it_begins(applied: Project) -> None:
    applied.write("guide.md", _GUIDE)
    called = applied.call("chunk", str(applied.folder / "guide.md"), "-c", "handbook", "--json")
    assert len(called.json()) == 1
    missing = applied.call("chunk", str(applied.folder / "guide.md"), "-c", "other")
    assert (missing.code, "has no collection 'other'" in missing.err) == (1, True)


def test_a_mistake_says_what_is_allowed(project: Project) -> None:
    project.write("guide.md", _GUIDE)
    called = project.call("chunk", str(project.folder / "guide.md"), "--strategy", "paragraphs")
    assert called.code == 1
    assert '"recursive", "markdown", "sentence", "code", "whole"' in called.err
    assert "No such file" in project.call("chunk", "nowhere.md").err


def test_text_cannot_act_on_the_terminal(project: Project) -> None:
    project.write("guide.md", "red \x1b[31m text")
    assert "\x1b" not in project.call("chunk", str(project.folder / "guide.md")).out
