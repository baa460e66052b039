"""Chunking: a document's text to spans of bounded size, by the collection's strategy.

Not here: how each strategy cuts (chunkers), the input made of a chunk (models), or where chunks are kept (store/corpus).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from embedding_assets.domain.chunkers.code import code_spans
from embedding_assets.domain.chunkers.markdown import Heading, headings_of, markdown_spans, path_at
from embedding_assets.domain.chunkers.packing_units import trimmed
from embedding_assets.domain.chunkers.recursive import Span, recursive_spans
from embedding_assets.domain.chunkers.sentences import sentence_spans
from embedding_assets.domain.chunkers.sizes import CHARACTERS, TOKENS, Sizes
from embedding_assets.domain.failures import ClassifiedError, EmbeddingAssetsError, ErrorType

RECURSIVE, MARKDOWN, SENTENCE, CODE, WHOLE = "recursive", "markdown", "sentence", "code", "whole"
STRATEGIES = (RECURSIVE, MARKDOWN, SENTENCE, CODE, WHOLE)
UNITS = (CHARACTERS, TOKENS)
# Those that count tokens by the model's own tokenizer where it is known.
COUNTED = frozenset({RECURSIVE, MARKDOWN})

# Part of every fingerprint: raise it when the same text may give other chunks than before, by a change here or by a
# release of semantic-text-splitter. A test holds the output to fixed digests, so that such a release is noticed.
ALGORITHM_VERSION = 2


class ChunkingStrategyError(EmbeddingAssetsError):
    """A chunking setting is out of its bounds. `key` and `value` are what was given, `allowed` what would do."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"chunking {key} is {value!r}; allowed: {allowed}")
        self.key = key
        self.value = value
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class ChunkingStrategy:
    """How documents are cut: `size` and `overlap` are in `unit`, characters (Unicode code points) or tokens.

    `recursive` cuts at the largest boundary that fits: blank lines, line ends, sentences, words, characters; `markdown`
    at Markdown's own; `sentence` between sentences only; `code` between blocks of lines; `whole` never, whatever the
    size. A chunk may begin up to `overlap` before the last one ended. `tokenizer` is the OpenAI model whose tokenizer
    counts in `recursive` and `markdown`; tokens are guessed high without it, and in the other strategies.

    Raises:
        ChunkingStrategyError: unknown name or unit, size below 1, or an overlap that is not from 0 to size - 1.
    """

    name: str = RECURSIVE
    size: int = 800
    overlap: int = 100
    unit: str = CHARACTERS
    tokenizer: str = ""

    def __post_init__(self) -> None:
        for key, value, allowed in (("strategy", self.name, STRATEGIES), ("unit", self.unit, UNITS)):
            if value not in allowed:
                raise ChunkingStrategyError(key, value, ", ".join(f'"{one}"' for one in allowed))
        if self.size < 1:
            raise ChunkingStrategyError("size", self.size, f"1 or more {self.unit}")
        if not 0 <= self.overlap < self.size:
            raise ChunkingStrategyError("overlap", self.overlap, f"0 to {self.size - 1} {self.unit}, less than size")

    @property
    def fingerprint(self) -> str:
        """16 hex digits over everything that decides where a text is cut, and the version of the algorithm."""
        facts: tuple[object, ...] = (self.name, self.size, self.overlap, ALGORITHM_VERSION)
        if self.name == WHOLE:
            facts = (self.name, ALGORITHM_VERSION)
        elif self.unit != CHARACTERS:
            facts = (*facts, self.unit, self.tokenizer)
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Chunk:
    """The span `start` to `end` (characters, end excluded) of a document's content; `ordinal` counts from 0.

    `headings` are the titles it stands under, outermost first; only `markdown` finds them.
    """

    ordinal: int
    start: int
    end: int
    content: str
    headings: tuple[str, ...] = ()


def chunk_text(strategy: ChunkingStrategy, text: str) -> list[Chunk]:
    """Cut a text: no chunk is empty or blank, every character but white space is in one; none for a blank text.

    Raises:
        ClassifiedError: `undecodable`, when the text holds half of a surrogate pair and so is not Unicode.
    """
    _check_unicode(text)
    headings = headings_of(text) if strategy.name == MARKDOWN else []
    chunks: list[Chunk] = []
    covered = 0
    for start, content in _spans(strategy, text, headings):
        end = start + len(content)
        # Python counts U+001C to U+001F as white space, the splitter does not; and overlap may repeat a tail.
        if end > covered and not content.isspace():
            chunks.append(Chunk(len(chunks), start, end, content, path_at(headings, start)))
            covered = end
    return chunks


def headings_at(strategy: ChunkingStrategy, text: str, starts: Sequence[int]) -> list[tuple[str, ...]]:
    """The headings that chunks of this text which begin at `starts` stand under, as `chunk_text` gives them."""
    headings = headings_of(text) if strategy.name == MARKDOWN else []
    return [path_at(headings, start) for start in starts]


def _spans(strategy: ChunkingStrategy, text: str, headings: list[Heading]) -> Iterator[Span]:
    sizes = Sizes(strategy.size, strategy.overlap, strategy.unit, strategy.tokenizer)
    match strategy.name:
        case "markdown":
            return markdown_spans(sizes, text, headings)
        case "sentence":
            return sentence_spans(sizes, text)
        case "code":
            return code_spans(sizes, text)
        case "whole":
            return trimmed(text, 0, len(text))
        case _:
            return recursive_spans(sizes, text)


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        message = "the text holds half of a surrogate pair, so it is not Unicode; correct the document's encoding"
        # The original carries the text itself, so it is not chained.
        raise ClassifiedError(ErrorType.UNDECODABLE, message) from None
