"""Tokens of an input: exact where OpenAI's tokenizer is known, guessed high elsewhere, and never fetched from a hub."""

import pytest

from embedding_assets.domain.packing import estimate_tokens
from embedding_assets.providers.tokenizers import count_tokens

TEXT = "Tokenizers split digits 12345 and punctuation, (like this)."


@pytest.mark.parametrize(
    "name", ["text-embedding-3-small", "openai/text-embedding-3-large", "azure/text-embedding-ada-002"]
)
def test_openais_models_are_counted_by_their_own_tokenizer(name: str) -> None:
    # As OpenAI's own web page of its tokenizer counts them.
    assert count_tokens(name, ["hello world", "tiktoken is great!", ""]) == [2, 6, 1]


@pytest.mark.parametrize("name", ["vertex_ai/text-embedding-005", "cohere/embed-english-v3.0", "azure/our-deployment"])
def test_any_other_model_is_guessed_high(name: str) -> None:
    assert count_tokens(name, [TEXT]) == [estimate_tokens(TEXT)]
    assert count_tokens(name, [TEXT]) > count_tokens("text-embedding-3-small", [TEXT])


def test_text_that_looks_like_a_special_token_is_text() -> None:
    [count] = count_tokens("text-embedding-3-small", ["<|endoftext|>"])
    assert count > 1
