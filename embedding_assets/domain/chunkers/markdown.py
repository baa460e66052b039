"""Cuts Markdown at its own structure (headings, blocks, items), and tells under which headings a span stands."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from embedding_assets.domain.chunkers.recursive import Span, windowed
from embedding_assets.domain.chunkers.sizes import Sizes

# CommonMark 0.31: ATX headings (4.2), setext underlines (4.3), fences of code (4.5); each indented by up to three spaces.
_LINE_OF_INTEREST = re.compile(r"^ {0,3}(?:(#{1,6})(?=[ \t\r\n]|\Z)|(`{3,}|~{3,})|(=+|-+)[ \t]*\r?$)", re.MULTILINE)
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n.*?^---[ \t]*\r?$", re.MULTILINE | re.DOTALL)
# A heading is a label: one that is longer was a paragraph with a mark before it.
_LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading that begins at `position`; `path` are the titles above it and its own."""

    position: int
    path: tuple[str, ...]


def markdown_spans(sizes: Sizes, text: str, headings: Sequence[Heading]) -> Iterator[Span]:
    """(start, content) of each span."""
    return windowed(sizes.markdown_splitter(), sizes, text, [heading.position for heading in headings])


def path_at(headings: Sequence[Heading], position: int) -> tuple[str, ...]:
    """The headings that `position` stands under, outermost first."""
    above = bisect_right(headings, position, key=lambda heading: heading.position)
    return headings[above - 1].path if above else ()


def headings_of(text: str) -> list[Heading]:
    """All headings of a Markdown text in their order; lines inside fences and front matter are none."""
    found: list[Heading] = []
    open_: list[tuple[int, str]] = []
    for position, level, title in _headings(text):
        while open_ and open_[-1][0] >= level:
            open_.pop()
        open_.append((level, title[:_LONGEST_TITLE]))
        found.append(Heading(position, tuple(title for _, title in open_ if title)))
    return found


def _headings(text: str) -> Iterator[tuple[int, int, str]]:
    """(position, level, title) of each."""
    fence = ""
    front = _FRONT_MATTER.match(text)
    for match in _LINE_OF_INTEREST.finditer(text, front.end() if front else 0):
        marks, ticks, underline = match.groups()
        if fence:
            closes = ticks and ticks[0] == fence[0] and len(ticks) >= len(fence)
            fence = "" if closes and not _rest(text, match.end()) else fence
        elif ticks:
            fence = ticks
        elif marks:
            yield match.start(), len(marks), _without_closing_marks(_rest(text, match.end()))
        elif above := _line_above(text, match.start()):
            yield above[0], 1 if underline[0] == "=" else 2, above[1]


def _rest(text: str, position: int) -> str:
    end = text.find("\n", position)
    return text[position : end if end >= 0 else len(text)].strip()


def _without_closing_marks(title: str) -> str:
    bare = title.rstrip("#")
    return bare.rstrip() if not bare or bare[-1] in " \t" else title


def _line_above(text: str, position: int) -> tuple[int, str] | None:
    """Where the line before begins and what it says; None where it cannot be a heading's text."""
    start = text.rfind("\n", 0, max(position - 1, 0)) + 1
    line = text[start:position].strip()
    return (start, line) if line and line[0] not in "#>|-*+`~=" else None
