"""Packing of inputs into requests under both caps, and the guess of tokens."""

import inspect
import json
import statistics
from itertools import pairwise
from pydoc_data.topics import topics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wordllama.tokenizers import tokenizer_from_file

from embedding_assets.domain.packing import Packer, PackingCaps, estimate_tokens

CAPS = st.builds(PackingCaps, max_inputs=st.integers(1, 6), max_tokens=st.integers(1, 50))
CHINESE = (
    "北京是中华人民共和国的首都,是全国的政治中心、文化中心,是世界著名古都和现代化国际城市。"
    "人工智能企图了解智能的实质,并生产出一种新的能以人类智能相似的方式做出反应的智能机器。"
)
TOKENIZER = tokenizer_from_file("l2_supercat_tokenizer_config.json")
TOKENIZER.no_padding()
TOKENIZER.no_truncation()
TOKENS = st.lists(st.integers(1, 70), max_size=40)


def _pack(caps: PackingCaps, tokens: list[int]) -> list[list[int]]:
    """Batches of positions in `tokens`, the last one flushed."""
    packer = Packer[int](caps)
    given_out = [packer.add(position, count) for position, count in enumerate(tokens)]
    return [batch for batch in [*given_out, packer.flush()] if batch]


@given(CAPS, TOKENS)
def test_every_item_comes_out_once_and_in_order(caps: PackingCaps, tokens: list[int]) -> None:
    assert [position for batch in _pack(caps, tokens) for position in batch] == list(range(len(tokens)))


@given(CAPS, TOKENS)
def test_a_batch_holds_both_caps_or_is_one_item(caps: PackingCaps, tokens: list[int]) -> None:
    for batch in _pack(caps, tokens):
        assert len(batch) <= caps.max_inputs
        assert len(batch) == 1 or sum(tokens[position] for position in batch) <= caps.max_tokens


@given(CAPS, TOKENS)
def test_no_batch_could_have_taken_the_next_item(caps: PackingCaps, tokens: list[int]) -> None:
    batches = _pack(caps, tokens)
    for batch, after in pairwise(batches):
        together = sum(tokens[position] for position in [*batch, after[0]])
        assert len(batch) == caps.max_inputs or together > caps.max_tokens


@given(CAPS, TOKENS)
def test_a_batch_given_out_is_never_empty(caps: PackingCaps, tokens: list[int]) -> None:
    packer = Packer[int](caps)
    assert [] not in [packer.add(position, count) for position, count in enumerate(tokens)]


def test_a_full_batch_goes_at_once() -> None:
    packer = Packer[str](PackingCaps(max_inputs=2, max_tokens=100))
    assert packer.add("a", 1) is None
    assert packer.add("b", 1) == ["a", "b"]
    assert packer.flush() == []


def test_an_item_over_the_token_cap_goes_alone() -> None:
    packer = Packer[str](PackingCaps(max_inputs=10, max_tokens=100))
    assert packer.add("small", 10) is None
    assert packer.add("huge", 1000) == ["small"]
    assert packer.add("next", 10) == ["huge"]
    assert packer.flush() == ["next"]


@pytest.mark.parametrize(("max_inputs", "max_tokens"), [(0, 10), (10, 0)])
def test_caps_without_room_for_an_input_are_refused(max_inputs: int, max_tokens: int) -> None:
    with pytest.raises(ValueError, match="room for 1 input"):
        PackingCaps(max_inputs, max_tokens)


def _tokens(text: str) -> int:
    return len(TOKENIZER.encode(text).ids)


def _chunks(text: str) -> list[str]:
    return [text[start : start + 800] for start in range(0, min(len(text), 100_000), 800)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\n\n".join(topics.values()), id="documentation"),
        pytest.param(inspect.getsource(inspect) + inspect.getsource(statistics), id="code"),
        pytest.param(CHINESE * 10, id="chinese"),
        pytest.param("Документы хранятся в базе данных и обновляются каждый час. " * 20, id="russian"),
        pytest.param("Größere Übersichten über Straßenverkehrsordnungen. " * 20, id="german"),
        pytest.param(json.dumps([{"id": n, "name": f"user_{n}", "ok": True} for n in range(99)]), id="json"),
    ],
)
def test_the_guess_of_tokens_is_high_but_not_five_times_too_high(text: str) -> None:
    for chunk in _chunks(text):
        assert _tokens(chunk) <= estimate_tokens(chunk) <= 5 * _tokens(chunk)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_the_guess_is_at_least_one_and_at_most_one_token_a_byte_and_one(text: str) -> None:
    assert 1 <= estimate_tokens(text) <= len(text.encode()) + 1


def test_the_guess_counts_letters_others_and_bytes_beyond_ascii() -> None:
    assert estimate_tokens("") == 1
    assert estimate_tokens("hello") == 1 + 2
    assert estimate_tokens("1,2\n") == 1 + 4
    assert estimate_tokens("漢字") == 1 + 4
