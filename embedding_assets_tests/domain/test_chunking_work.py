"""How much text the strategies look at: counted, never timed."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from embedding_assets.domain.chunkers import recursive
from embedding_assets.domain.chunkers.sizes import Sizes
from embedding_assets.domain.chunking import CHARACTERS, STRATEGIES, TOKENS, ChunkingStrategy, chunk_text
from embedding_assets.domain.packing import estimate_tokens

_TEXTS = {
    "letters": "x",
    "words": "word ",
    "sentences": "A sentence. ",
    "lines": "line\n",
    "blank lines": "\n",
    "headings": "# h\n\ntext\n\n",
    "fences": "```\n",
    "marks": "e\u0301",
    "emoji": "👩\u200d👧",
    "code": "def f():\n    return 1\n\n",
}
# Twice over for the overlap, a window's last span once more, and measuring before packing.
_LOOKS_A_CHARACTER = 6


@dataclass
class _Work:
    """Characters that were given to a splitter or measured."""

    characters: int = 0
    longest: int = 0
    splitters: list[Any] = field(default_factory=list[Any])

    def count(self, text: str) -> None:
        self.characters += len(text)
        self.longest = max(self.longest, len(text))


@dataclass
class _Counting:
    """A splitter that counts what it is given."""

    splitter: recursive.Splitter
    work: _Work

    def chunk_indices(self, text: str) -> list[recursive.Span]:
        self.work.count(text)
        return self.splitter.chunk_indices(text)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> _Work:
    """Counted from here on."""
    work = _Work()
    for name in ("text_splitter", "markdown_splitter"):
        made = getattr(Sizes, name)
        monkeypatch.setattr(Sizes, name, lambda sizes, made=made: _Counting(made(sizes), work))

    def measure(sizes: Sizes) -> Any:
        def measured(text: str) -> int:
            work.count(text)
            return estimate_tokens(text) if sizes.unit == TOKENS else len(text)

        return measured

    monkeypatch.setattr(Sizes, "measure", property(measure))
    return work


@pytest.mark.parametrize("unit", [CHARACTERS, TOKENS])
@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("text", _TEXTS.values(), ids=_TEXTS)
def test_no_text_is_looked_at_more_often_for_being_longer(work: _Work, text: str, name: str, unit: str) -> None:
    strategy = ChunkingStrategy(name, 40, 10, unit)
    for length in (5_000, 40_000):
        work.characters = work.longest = 0
        chunk_text(strategy, (text * length)[:length])
        assert work.characters <= _LOOKS_A_CHARACTER * length + 5_000
    if name in {"recursive", "markdown"}:
        assert work.longest <= 20 * 40 * 4
