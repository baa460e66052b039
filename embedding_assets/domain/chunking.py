"""Chunking: a document's text to spans of bounded size, by semantic-text-splitter (Rust; it releases the GIL).

Not here: the input made of a chunk (models), or where chunks are kept (store/corpus).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from semantic_text_splitter import TextSplitter

from embedding_assets.domain.failures import ClassifiedError, EmbeddingAssetsError, ErrorType

RECURSIVE = "recursive"

# Part of every fingerprint: raise it when the same text may give other chunks than before, by a change here or by a
# release of semantic-text-splitter. A test holds the output to a fixed digest, so that such a release is noticed.
ALGORITHM_VERSION = 1

# The splitter looks at all the text that is left for every chunk it makes where the text has no sentence or line
# end: 400,000 letters in a row took 2.3 s, 5.9 µs a character. In windows of 20 sizes it is 0.3 µs, however long.
_WINDOW_SIZES = 20


class ChunkingStrategyError(EmbeddingAssetsError):
    """A chunking setting is out of its bounds. `key` and `value` are what was given, `allowed` what would do."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"chunking {key} is {value!r}; allowed: {allowed}")
        self.key = key
        self.value = value
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class ChunkingStrategy:
    """How documents are cut: `size` and `overlap` are in characters (Unicode code points).

    `recursive` cuts at the largest boundary that fits `size`: blank lines, line ends, sentences, words, characters.
    A chunk may begin up to `overlap` characters before the last one ended.

    Raises:
        ChunkingStrategyError: unknown name, size below 1, or an overlap that is not from 0 to size - 1.
    """

    name: str = RECURSIVE
    size: int = 800
    overlap: int = 100

    def __post_init__(self) -> None:
        if self.name != RECURSIVE:
            raise ChunkingStrategyError("strategy", self.name, f'"{RECURSIVE}"')
        if self.size < 1:
            raise ChunkingStrategyError("size", self.size, "1 or more characters")
        if not 0 <= self.overlap < self.size:
            raise ChunkingStrategyError("overlap", self.overlap, f"0 to {self.size - 1} characters, less than size")

    @property
    def fingerprint(self) -> str:
        """16 hex digits over name, size, overlap and the version of the algorithm."""
        facts = (self.name, self.size, self.overlap, ALGORITHM_VERSION)
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Chunk:
    """The span `start` to `end` (characters, end excluded) of a document's content; `ordinal` counts from 0."""

    ordinal: int
    start: int
    end: int
    content: str


def chunk_text(strategy: ChunkingStrategy, text: str) -> list[Chunk]:
    """Cut a text: no chunk is empty or blank, every character but white space is in one; none for a blank text.

    Raises:
        ClassifiedError: `undecodable`, when the text holds half of a surrogate pair and so is not Unicode.
    """
    chunks: list[Chunk] = []
    covered = 0
    for start, content in _spans(strategy, text):
        end = start + len(content)
        # Python counts U+001C to U+001F as white space, the splitter does not; and overlap may repeat a tail.
        if end > covered and not content.isspace():
            chunks.append(Chunk(len(chunks), start, end, content))
            covered = end
    return chunks


def _spans(strategy: ChunkingStrategy, text: str) -> Iterator[tuple[int, str]]:
    """The splitter's (start, content), window after window.

    A window's last chunk may have been cut by the window's end, so the next window begins where that chunk began.
    """
    splitter = TextSplitter(strategy.size, overlap=strategy.overlap)
    window = _WINDOW_SIZES * strategy.size
    position = 0
    while position < len(text):
        found = _split(splitter, text[position : position + window])
        following = position + window
        if following < len(text) and found and found[-1][0] > 0:
            following = position + found.pop()[0]
        for offset, content in found:
            yield position + offset, content
        position = following


def _split(splitter: TextSplitter, window: str) -> list[tuple[int, str]]:
    try:
        return splitter.chunk_indices(window)
    except UnicodeEncodeError:
        message = "the text holds half of a surrogate pair, so it is not Unicode; correct the document's encoding"
        # The original carries the text itself, so it is not chained.
        raise ClassifiedError(ErrorType.UNDECODABLE, message) from None
