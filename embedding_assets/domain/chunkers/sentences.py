"""Cuts between sentences only, wherever a sentence fits: for prose whose paragraphs are longer than a chunk."""

import re
from collections.abc import Iterator

from embedding_assets.domain.chunkers.packing_units import Unit, packed_spans
from embedding_assets.domain.chunkers.recursive import Span
from embedding_assets.domain.chunkers.sizes import Sizes

# A sentence ends at its mark, closing quotes and brackets included, before white space; where no white space is
# written, at the mark itself; and at a blank line. An abbreviation's point ends one too many: a chunk is none the worse.
# The look behind keeps a line of 100,000 points linear.
_END = re.compile(
    r"(?<![.!?…])[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”’）]*|\n[ \t\r]*(?=\n)"  # noqa: RUF001 - other scripts' marks are meant
)


def sentence_spans(sizes: Sizes, text: str) -> Iterator[Span]:
    """(start, content) of each span."""
    return packed_spans(sizes, text, list(_sentences(text)))


def _sentences(text: str) -> Iterator[Unit]:
    start = 0
    for match in _END.finditer(text):
        yield Unit(start, match.end())
        start = match.end()
    if start < len(text):
        yield Unit(start, len(text))
