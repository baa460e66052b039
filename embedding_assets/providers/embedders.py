"""Choosing the embedder for a model. Not here: what it does (litellm_embedder), settings (settings)."""

from collections.abc import Mapping

from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.ports import Embedder
from embedding_assets.domain.prices import PriceOrigin
from embedding_assets.providers.litellm_embedder import LiteLLMEmbedder
from embedding_assets.providers.local_embedder import DIMENSIONS, LOCAL_MODEL, PROVIDER
from embedding_assets.providers.wire_format import FLOAT

# Asking for base64 would cost a refusal with a provider of ours, and be worse with Bedrock: LiteLLM asks Amazon's Titan for binary
# embeddings then, ones and zeros that look like any vector.
_FLOATS_ONLY = (f"{PROVIDER}/", "bedrock/")


def build_embedder(
    model: EmbeddingModel,
    *,
    api_base: str | None,
    api_key: str | None,
    timeout_seconds: float,
    wire_format: str | None,
    extra: Mapping[str, object],
    usd_per_million_tokens: float | None = None,
) -> Embedder:
    """The embedder of a model as LiteLLM names it, `local/wordllama-256` included.

    Raises:
        ValueError: an option in `extra` that nobody knows, or another dimension than the local model's.
    """
    if model.name == LOCAL_MODEL and model.dimensions != DIMENSIONS:
        message = f"{LOCAL_MODEL} has {DIMENSIONS} dimensions, not {model.dimensions}: correct the collection"
        raise ValueError(message)
    if model.name.startswith(_FLOATS_ONLY):
        wire_format = FLOAT
    local = model.name.startswith(f"{PROVIDER}/")
    embedder = LiteLLMEmbedder(
        model,
        api_base=api_base,
        api_key=api_key,
        timeout_seconds=timeout_seconds,
        wire_format=wire_format,
        extra=extra,
        usd_per_million_tokens=0.0 if local and usd_per_million_tokens is None else usd_per_million_tokens,
    )
    if local and usd_per_million_tokens is None:
        embedder.price_origin = PriceOrigin.FREE
    return embedder
