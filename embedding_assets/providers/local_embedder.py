"""The model that needs no provider: `local/wordllama-256`, computed in this process and reached through LiteLLM.

LiteLLM sees it as a custom provider, so documents take the same path as with any other model. Not here: that path
(litellm_embedder).
"""

import functools
import importlib
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread
import numpy as np
from numpy.typing import NDArray

from embedding_assets.domain.failures import ErrorType, ProviderError

PROVIDER = "local"
LOCAL_MODEL = "local/wordllama-256"
DIMENSIONS = 256

_loading = threading.Lock()


def register_local_provider(litellm: Any) -> None:
    """Make LiteLLM answer for `local/...`, free of charge; call it once per process."""
    litellm.custom_provider_map.append({"provider": PROVIDER, "custom_handler": LocalProvider()})
    price = {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}
    litellm.register_model({LOCAL_MODEL: {"litellm_provider": PROVIDER, "mode": "embedding", **price}})


class LocalProvider:
    """What LiteLLM calls for `local/...` models; the keyword names are LiteLLM's."""

    async def aembedding(
        self,
        model: str,
        input: list[str],  # noqa: A002  LiteLLM calls it so
        model_response: Any,
        **_: object,
    ) -> Any:
        """Fill `model_response` with unit vectors, as floats: LiteLLM takes no `encoding_format` for custom providers.

        Raises:
            ProviderError: `unknown_model` for another name, or where the extra `[local]` is not installed.
        """
        if f"{PROVIDER}/{model}" != LOCAL_MODEL:
            raise ProviderError(ErrorType.UNKNOWN_MODEL, f"the only local model is {LOCAL_MODEL}")
        vectors, tokens = await anyio.to_thread.run_sync(embed_locally, input)
        model_response.model = model
        model_response.data = [
            {"object": "embedding", "index": index, "embedding": vector.tolist()}
            for index, vector in enumerate(vectors)
        ]
        model_response.usage.prompt_tokens = tokens
        model_response.usage.total_tokens = tokens
        return model_response


def embed_locally(inputs: Sequence[str]) -> tuple[NDArray[np.float32], int]:
    """Unit vectors, float32 of shape (inputs, 256), and the tokens read. Only an empty input gives a zero vector.

    Raises:
        ProviderError: `unknown_model` where the extra `[local]` is not installed.
    """
    with _loading:
        words = _wordllama()
    # Measured: pooling input by input is twice as fast as the library's own, which pads to the longest.
    vectors = np.zeros((len(inputs), DIMENSIONS), dtype=np.float32)
    encodings = words.tokenizer.encode_batch_fast(list(inputs), add_special_tokens=False)
    for row, encoding in zip(vectors, encodings, strict=True):
        words.embedding.take(encoding.ids, axis=0).sum(axis=0, out=row)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.divide(vectors, norms, out=vectors, where=norms > 0)
    return vectors, sum(len(encoding) for encoding in encodings)


@functools.cache
def _wordllama() -> Any:
    wordllama = _imported()
    # The loader looks for the tokenizer below `cache_dir` only, and the wheel ships it in the package's own folder.
    words = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, dim=DIMENSIONS, disable_download=True)
    words.tokenizer.no_padding()
    return words


def _imported() -> Any:
    """The package, without the handler its import puts on the root logger."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        return importlib.import_module("wordllama")
    except ImportError:
        pass
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    message = f"{LOCAL_MODEL} is not installed: pip install 'embedding-assets[local]', or choose another model"
    raise ProviderError(ErrorType.UNKNOWN_MODEL, message)
