"""Choosing the embedder for a model. Not here: what it does (litellm_embedder), settings (settings)."""

from collections.abc import Mapping

from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.ports import Embedder
from embedding_assets.domain.prices import PriceOrigin
from embedding_assets.providers.litellm_embedder import LiteLLMEmbedder
from embedding_assets.providers.local_embedder import DIMENSIONS, LOCAL_MODEL, PROVIDER
from embedding_assets.providers.wire_format import FLOAT


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
    local = model.name.startswith(f"{PROVIDER}/")
    if local:
        # LiteLLM takes no encoding for a provider of ours: asking would cost a refusal.
        wire_format = FLOAT
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
