"""What each strategy cuts where, on texts of its kind."""

import pytest

from embedding_assets.domain.chunkers.markdown import headings_of, path_at
from embedding_assets.domain.chunking import ChunkingStrategy, chunk_text

_GUIDE = """\
---
title: A guide
---
# Guide

Welcome.

## Install

Run it.

```sh
# not a heading
make install
```

### On Debian

Use the package.

Usage
-----

Call it. #not-a-tag

# Reference
"""


def _contents(name: str, text: str, size: int, overlap: int = 0) -> list[str]:
    return [chunk.content for chunk in chunk_text(ChunkingStrategy(name, size, overlap), text)]


def test_headings_of_markdown_are_atx_and_setext_and_none_in_fences_or_front_matter() -> None:
    assert [heading.path for heading in headings_of(_GUIDE)] == [
        ("Guide",),
        ("Guide", "Install"),
        ("Guide", "Install", "On Debian"),
        ("Guide", "Usage"),
        ("Reference",),
    ]


@pytest.mark.parametrize(
    ("line", "title"),
    [("# Title ##", "Title"), ("#\tC#", "C#"), ("   ### Deep", "Deep"), ("# " + "x" * 300, "x" * 200)],
)
def test_a_title_is_what_stands_between_the_marks(line: str, title: str) -> None:
    assert [heading.path for heading in headings_of(f"{line}\n")] == [(title,)]


@pytest.mark.parametrize(
    "text", ["#tag", "    # code", "####### seven", "| a |\n---", "- item\n---", "\n---\n", "text\n\n---"]
)
def test_what_only_looks_like_a_heading_is_none(text: str) -> None:
    assert headings_of(text) == []


def test_a_chunk_of_markdown_carries_the_headings_it_stands_under() -> None:
    chunks = chunk_text(ChunkingStrategy("markdown", 60, 0), _GUIDE)
    under = {chunk.headings for chunk in chunks if "package" in chunk.content}
    assert under == {("Guide", "Install", "On Debian")}
    assert chunk_text(ChunkingStrategy("recursive", 60, 0), _GUIDE)[-1].headings == ()


def test_a_chunk_that_begins_with_a_heading_stands_under_it() -> None:
    headings = headings_of("# One\n\ntext\n\n# Two\n")
    assert [path_at(headings, position) for position in (0, 8, 13)] == [("One",), ("One",), ("Two",)]


def test_markdown_is_cut_at_its_headings_before_its_paragraphs() -> None:
    text = "# One\n\nFirst.\n\nSecond.\n\n# Two\n\nThird."
    assert _contents("markdown", text, 30) == ["# One\n\nFirst.\n\nSecond.", "# Two\n\nThird."]


def test_sentences_stay_whole_whatever_the_paragraphs() -> None:
    text = "One is here. Two is\nhere too! Three?\n\nFour, “said.” Five. 六。七。"
    assert _contents("sentence", text, 30) == [
        "One is here. Two is\nhere too!",
        "Three?\n\nFour, “said.” Five.",
        "六。七。",
    ]


def test_a_sentence_longer_than_a_chunk_is_cut_at_its_words() -> None:
    assert _contents("sentence", "Short. A much longer sentence of words. End.", 16) == [
        "Short.",
        "A much longer",
        "sentence of",
        "words.",
        "End.",
    ]


def test_overlap_repeats_whole_sentences() -> None:
    assert _contents("sentence", "One one. Two two. Three. Four.", 20, 10) == [
        "One one. Two two.",
        "Two two. Three.",
        "Three. Four.",
    ]


_CODE = """\
import os


def first(a):
    if a:
        return 1
    else:
        return 2


class Second:
    def method(self):
        return os.sep
"""


def test_code_is_cut_between_its_blocks() -> None:
    first, second = _contents("code", _CODE, 110)
    assert first.startswith("import os")
    assert first.endswith("return 2")
    assert second.startswith("class Second:")


def test_a_block_longer_than_a_chunk_is_cut_where_it_is_indented_least() -> None:
    text = "function f() {\n  a();\n  if (b) {\n    c();\n    d();\n  }\n  e();\n}\n"
    assert _contents("code", text, 40) == ["function f() {\n  a();", "if (b) {\n    c();\n    d();\n  }", "e();\n}"]


def test_a_whole_document_is_one_chunk_however_long() -> None:
    assert _contents("whole", "  " + "x" * 5000 + "\n", 100) == ["x" * 5000]


@pytest.mark.parametrize("name", ["recursive", "markdown", "sentence", "code"])
@pytest.mark.parametrize(
    "text",
    ["\n" * 300_000, "a" + " \n" * 150_000, "." * 300_000, "`" * 300_000],
    ids=["lines", "blanks", "points", "ticks"],
)
def test_a_text_of_one_mark_takes_no_more_than_any_other(name: str, text: str) -> None:
    """Quadratic, any of these takes minutes: the suite's own time limit is the assertion."""
    chunks = chunk_text(ChunkingStrategy(name), text)
    assert sum(len(chunk.content) for chunk in chunks) >= len(text.strip())
