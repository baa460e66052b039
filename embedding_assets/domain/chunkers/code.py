"""Cuts source code between its blocks, by indentation alone: any language, no grammar to install.

A line that begins further to the left begins a larger block; after a blank line it is a block more likely. Lines that
close or continue a block (`}`, `else:`) never begin a chunk where another can.
"""

import re
from collections.abc import Iterator

from embedding_assets.domain.chunkers.packing_units import Unit, packed_spans
from embedding_assets.domain.chunkers.recursive import Span
from embedding_assets.domain.chunkers.sizes import Sizes

_TAB_WIDTH = 4
_CONTINUES = re.compile(r"[)\]}]|(?:else|elif|except|finally|catch|case|end|then|do|and|or|fi|done)\b")
_NEVER_FIRST = 1000


def code_spans(sizes: Sizes, text: str) -> Iterator[Span]:
    """(start, content) of each span."""
    return packed_spans(sizes, text, list(_lines(text)))


def _lines(text: str) -> Iterator[Unit]:
    start = 0
    after_blank = True
    for line in text.splitlines(keepends=True):
        yield Unit(start, start + len(line), _level(line, after_blank=after_blank))
        start += len(line)
        after_blank = not line.strip()


def _level(line: str, *, after_blank: bool) -> int:
    bare = line.lstrip()
    if not bare:
        return _NEVER_FIRST
    indent = len(line[: len(line) - len(bare)].expandtabs(_TAB_WIDTH))
    continues = _NEVER_FIRST if _CONTINUES.match(bare) else 0
    return continues + 2 * indent + (not after_blank)
