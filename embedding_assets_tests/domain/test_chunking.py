"""Chunks: spans, coverage, bounds, the fingerprint, and text that is not Unicode."""

import hashlib
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding_assets.domain.chunkers.sizes import tokenizer_of
from embedding_assets.domain.chunking import (
    ALGORITHM_VERSION,
    CHARACTERS,
    MARKDOWN,
    STRATEGIES,
    TOKENS,
    WHOLE,
    Chunk,
    ChunkingStrategy,
    ChunkingStrategyError,
    chunk_text,
    headings_at,
)
from embedding_assets.domain.failures import ClassifiedError, ErrorType
from embedding_assets.domain.packing import estimate_tokens

_PIECES = st.sampled_from(
    [
        "word",
        "Ende.",
        "Ja!”",
        "。",
        "# Title",
        "## ",
        "```",
        "---",
        "    ",
        "def f():",
        "}",
        "- ",
        "|",
        " ",
        "\n",
        "\n\n",
        "\r\n",
        "\t",
        "\x1c",
        "漢字",
        "é",
        "e\u0301",
        "👩\u200d👧",
        "\u0301",
        "\x1b[31m",
        "\x07",
        "\u202e",
        "{content}",
        "-" * 9,
        "x" * 50,
    ]
)
TEXTS = st.one_of(
    st.lists(_PIECES, max_size=200).map("".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
)


@st.composite
def strategies(draw: st.DrawFn) -> ChunkingStrategy:
    """Small sizes, so that a short text fills several of the windows it is cut in."""
    size = draw(st.integers(1, 12))
    return ChunkingStrategy(draw(st.sampled_from(STRATEGIES)), size, draw(st.integers(0, size - 1)))


@st.composite
def token_strategies(draw: st.DrawFn) -> ChunkingStrategy:
    """In guessed tokens; the guess of one letter is two."""
    size = draw(st.integers(8, 30))
    return ChunkingStrategy(draw(st.sampled_from(STRATEGIES[:4])), size, draw(st.integers(0, size // 2)), TOKENS)


ANY_STRATEGY = st.one_of(strategies(), token_strategies())


@given(ANY_STRATEGY, TEXTS)
def test_a_chunk_is_its_span_of_the_text(strategy: ChunkingStrategy, text: str) -> None:
    for chunk in chunk_text(strategy, text):
        assert text[chunk.start : chunk.end] == chunk.content


@given(strategies(), TEXTS)
def test_no_chunk_is_blank_or_longer_than_size(strategy: ChunkingStrategy, text: str) -> None:
    for chunk in chunk_text(strategy, text):
        assert chunk.content.strip()
        assert len(chunk.content) <= strategy.size or strategy.name == WHOLE


@given(token_strategies(), TEXTS)
def test_a_chunk_in_tokens_is_no_longer_than_size_and_loses_nothing(strategy: ChunkingStrategy, text: str) -> None:
    chunks = chunk_text(strategy, text)
    assert all(estimate_tokens(chunk.content) <= strategy.size for chunk in chunks)
    covered = {index for chunk in chunks for index in range(chunk.start, chunk.end)}
    assert {index for index, character in enumerate(text) if not character.isspace()} <= covered


@given(strategies(), TEXTS)
def test_every_character_but_white_space_is_in_a_chunk(strategy: ChunkingStrategy, text: str) -> None:
    covered = {index for chunk in chunk_text(strategy, text) for index in range(chunk.start, chunk.end)}
    assert {index for index, character in enumerate(text) if not character.isspace()} <= covered


@given(ANY_STRATEGY, TEXTS)
def test_chunks_come_in_order_and_each_adds_text(strategy: ChunkingStrategy, text: str) -> None:
    chunks = chunk_text(strategy, text)
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    for before, after in pairwise(chunks):
        assert before.start < after.start
        assert before.end < after.end
        repeated = text[after.start : before.end]
        assert (
            len(repeated) if strategy.unit == CHARACTERS else estimate_tokens(repeated) if repeated else 0
        ) <= strategy.overlap


@given(token_strategies(), TEXTS)
def test_headings_stand_in_the_text_before_the_end_of_their_chunk(strategy: ChunkingStrategy, text: str) -> None:
    chunks = chunk_text(replace(strategy, name=MARKDOWN), text)
    assert [chunk.headings for chunk in chunks] == headings_at(
        replace(strategy, name=MARKDOWN), text, [chunk.start for chunk in chunks]
    )
    for chunk in chunks:
        assert all(heading in text[: chunk.end] or len(heading) == 200 for heading in chunk.headings)


@given(ANY_STRATEGY, TEXTS)
def test_the_same_text_gives_the_same_chunks(strategy: ChunkingStrategy, text: str) -> None:
    assert chunk_text(strategy, text) == chunk_text(strategy, text)


@pytest.mark.parametrize("text", ["", " ", "\n\n\t ", "\x1c\x1d"])
def test_a_blank_text_has_no_chunks(text: str) -> None:
    assert chunk_text(ChunkingStrategy(), text) == []


def test_a_short_text_is_one_chunk_without_its_margins() -> None:
    assert chunk_text(ChunkingStrategy(), "\n  One line. \n") == [Chunk(0, 3, 12, "One line.")]


def test_offsets_count_characters_not_bytes() -> None:
    assert chunk_text(ChunkingStrategy(size=3, overlap=0), "漢字é 🎉b") == [
        Chunk(0, 0, 3, "漢字é"),
        Chunk(1, 4, 6, "🎉b"),
    ]


def test_paragraphs_that_fit_stay_whole() -> None:
    text = "First paragraph, of two lines\nor so.\n\nSecond paragraph."
    assert [chunk.content for chunk in chunk_text(ChunkingStrategy(size=40, overlap=0), text)] == text.split("\n\n")


def test_overlap_repeats_the_end_of_the_chunk_before() -> None:
    chunks = chunk_text(ChunkingStrategy(size=12, overlap=4), "one two three four five six")
    assert [chunk.content for chunk in chunks] == ["one two", "two three", "four five", "five six"]


def test_text_behind_many_windows_of_white_space_is_found() -> None:
    text = "a" + " " * 10_000 + "b"
    assert [(chunk.start, chunk.content) for chunk in chunk_text(ChunkingStrategy(size=5, overlap=2), text)] == [
        (0, "a"),
        (10_001, "b"),
    ]


@pytest.mark.parametrize("name", ["recursive", "markdown", "sentence", "code"])
def test_a_line_without_spaces_is_cut_at_size(name: str) -> None:
    chunks = chunk_text(ChunkingStrategy(name, size=800, overlap=0), "x" * 10_000)
    assert [len(chunk.content) for chunk in chunks] == [800] * 12 + [400]


@pytest.mark.parametrize("name", ["recursive", "markdown"])
def test_tokens_are_counted_by_the_models_own_tokenizer(name: str) -> None:
    strategy = ChunkingStrategy(name, 10, 0, TOKENS, tokenizer_of("openai/text-embedding-3-small"))
    chunks = chunk_text(strategy, " ".join(["word"] * 40))
    assert [chunk.content.split() for chunk in chunks] == [["word"] * 10] * 4


def test_only_openais_models_have_a_known_tokenizer() -> None:
    assert tokenizer_of("azure/text-embedding-ada-002") == "text-embedding-ada-002"
    assert tokenizer_of("vertex_ai/text-embedding-005") == ""


def test_an_edit_leaves_distant_chunks_as_they_were() -> None:
    paragraphs = [f"Paragraph {number}. " + f"Some words of number {number}. " * 10 for number in range(200)]
    before = {chunk.content for chunk in chunk_text(ChunkingStrategy(), "\n\n".join(paragraphs))}
    paragraphs[100] = "Another text here. " + paragraphs[100]
    after = {chunk.content for chunk in chunk_text(ChunkingStrategy(), "\n\n".join(paragraphs))}
    assert 1 <= len(after - before) <= 3


@pytest.mark.parametrize("surrogate", [chr(0xD800), chr(0xDCFF)], ids=["high", "low"])
def test_half_a_surrogate_pair_is_undecodable_and_the_text_stays_out_of_the_error(surrogate: str) -> None:
    with pytest.raises(ClassifiedError, match="surrogate") as caught:
        chunk_text(ChunkingStrategy(), f"private {surrogate} words")
    assert caught.value.error_type is ErrorType.UNDECODABLE
    assert "private" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("name", "size", "overlap", "key"),
    [
        ("paragraphs", 800, 100, "strategy"),
        ("recursive", 0, 0, "size"),
        ("recursive", -5, 0, "size"),
        ("recursive", 100, 100, "overlap"),
        ("recursive", 100, -1, "overlap"),
    ],
)
def test_a_setting_out_of_bounds_is_named_with_value_and_what_is_allowed(
    name: str, size: int, overlap: int, key: str
) -> None:
    with pytest.raises(ChunkingStrategyError) as caught:
        ChunkingStrategy(name, size, overlap)
    assert caught.value.key == key
    assert repr(caught.value.value) in str(caught.value)
    assert caught.value.allowed in str(caught.value)


def test_every_setting_is_in_the_fingerprint() -> None:
    fingerprints = [ChunkingStrategy(size=size, overlap=overlap).fingerprint for size in (80, 90) for overlap in (0, 9)]
    assert len(set(fingerprints)) == 4
    assert all(len(bytes.fromhex(fingerprint)) == 8 for fingerprint in fingerprints)


def test_output_is_that_of_the_algorithm_version() -> None:
    """When a release of the splitter cuts otherwise: raise ALGORITHM_VERSION and put the new digest here."""
    text = "\n\n".join(
        f"Absatz {n}. 漢字 {n * n}! Some words; other-words (and {n}).\nA line {'x' * n}" for n in range(99)
    )
    spans = [
        (c.start, c.end) for size in (7, 50, 300) for c in chunk_text(ChunkingStrategy(size=size, overlap=3), text)
    ]
    digest = hashlib.sha256(repr(spans).encode()).hexdigest()[:16]
    assert (ALGORITHM_VERSION, digest) == (2, "011ea0da28646511")
