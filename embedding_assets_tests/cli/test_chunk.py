"""chunk, called as a person would."""

from embedding_assets_tests.cli.conftest import Project

_GUIDE = "# Guide\n\nWelcome to it.\n\n## Install\n\nRun the installer, then look around.\n"


def test_a_file_is_cut_without_a_database(project: Project) -> None:
    project.write("guide.md", _GUIDE)
    file = str(project.folder / "guide.md")
    called = project.call("chunk", file, "--strategy", "markdown", "--size", "50")
    assert called.code == 0
    assert called.out.splitlines()[0] == "chunk 0, characters 0-23: 23 characters, at most 13 tokens, under Guide"
    assert "under Guide > Install" in called.out
    assert called.out.splitlines()[-1] == (
        "2 chunks by markdown, 50 characters, overlap 6; longest input: 48 characters, at most 24 tokens"
    )
    assert project.call("chunk", "--preview", file, "--strategy", "markdown", "--size", "50") == called
    whole = project.call("chunk", file, "--strategy", "whole", "--json").json()
    assert [(one["start"], one["content"]) for one in whole] == [(0, _GUIDE.strip())]


def test_a_collections_own_chunking_is_where_it_begins(applied: Project) -> None:
    applied.write("guide.md", _GUIDE)
    called = applied.call("chunk", str(applied.folder / "guide.md"), "-c", "handbook", "--json")
    assert len(called.json()) == 1
    missing = applied.call("chunk", str(applied.folder / "guide.md"), "-c", "other")
    assert (missing.code, "has no collection 'other'" in missing.err) == (1, True)


def test_the_input_is_shown_under_a_template_with_its_size(applied: Project) -> None:
    applied.write("guide.md", _GUIDE)
    file = str(applied.folder / "guide.md")
    cut = ("--strategy", "markdown", "--size", "50", "--template", "{title}: {headings}: {content}")
    called = applied.call("chunk", file, *cut)
    assert "  as input: 72 characters, at most 36 tokens\n  Guide: Guide > Install: ## Install\n" in called.out
    second = applied.call("chunk", file, *cut, "-c", "handbook", "--json").json()[1]
    assert second["input"] == f"Guide: Guide > Install: {second['content']}"
    assert (second["headings"], second["repeated"]) == (["Guide", "Install"], 0)
    mistaken = applied.call("chunk", file, "--template", "{heading}: {content}")
    assert (mistaken.code, "{heading} is not one of them" in mistaken.err) == (1, True)


def test_what_a_chunk_repeats_of_the_one_before_is_counted(project: Project) -> None:
    project.write("words.txt", "one two three four five six")
    called = project.call("chunk", str(project.folder / "words.txt"), "--size", "12", "--overlap", "4", "--json")
    assert [one["repeated"] for one in called.json()] == [0, 3, 0, 4]


def test_a_mistake_says_what_is_allowed(project: Project) -> None:
    project.write("guide.md", _GUIDE)
    called = project.call("chunk", str(project.folder / "guide.md"), "--strategy", "paragraphs")
    assert called.code == 1
    assert '"recursive", "markdown", "sentence", "code", "whole"' in called.err
    assert "No such file" in project.call("chunk", "nowhere.md").err


def test_text_cannot_act_on_the_terminal(project: Project) -> None:
    project.write("guide.md", "red \x1b[31m text")
    assert "\x1b" not in project.call("chunk", str(project.folder / "guide.md")).out
