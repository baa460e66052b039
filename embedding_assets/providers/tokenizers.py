"""How many tokens an input has, by the model's own tokenizer where its file is on this machine already.

LiteLLM ships the files of OpenAI's tokenizers; any other model's would be fetched from a hub, so those are guessed high
(domain/packing) and put right by the provider's own count. Not here: the limit that counts them (store/rate_limiter).
"""

import functools
import importlib
from collections.abc import Sequence
from typing import Any

from embedding_assets.domain.packing import estimate_tokens
from embedding_assets.providers.litellm_loading import load_litellm

_OPENAI = ("openai/", "azure/")


def count_tokens(model_name: str, inputs: Sequence[str]) -> list[int]:
    """Tokens of each input; exact for OpenAI's models, by that name or behind Azure, and a high guess for others."""
    encoding = _encoding(model_name)
    if encoding is None:
        return [estimate_tokens(text) for text in inputs]
    return [max(1, len(encoding.encode_ordinary(text))) for text in inputs]


@functools.cache
def _encoding(model_name: str) -> Any:
    """The tokenizer of a model, None where it is not known; loading takes half a second once."""
    bare = model_name
    for provider in _OPENAI:
        bare = bare.removeprefix(provider)
    if "/" in bare:
        return None
    load_litellm()
    # Its import points the tokenizer library at the files LiteLLM ships.
    importlib.import_module("litellm.litellm_core_utils.default_encoding")
    tiktoken: Any = importlib.import_module("tiktoken")
    try:
        return tiktoken.encoding_for_model(bare)
    except KeyError:
        return None
