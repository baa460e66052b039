"""Calling the embedder from a test: against the simulated provider, in an event loop of its own."""

from collections.abc import Mapping

import anyio

from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.ports import EmbeddingReply
from embedding_assets.providers.litellm_embedder import LiteLLMEmbedder
from embedding_assets_tests.simulator import Simulator

SECRET = "sk-simulated-0123456789abcdef"


def embedder_for(
    provider: Simulator,
    *,
    model: EmbeddingModel | None = None,
    api_base: str | None = None,
    api_key: str | None = SECRET,
    timeout_seconds: float = 10.0,
    wire_format: str | None = None,
    extra: Mapping[str, object] | None = None,
) -> LiteLLMEmbedder:
    """An embedder whose provider is the simulator."""
    return LiteLLMEmbedder(
        model or EmbeddingModel("openai/simulated", provider.dimensions),
        api_base=api_base or provider.api_base,
        api_key=api_key,
        timeout_seconds=timeout_seconds,
        wire_format=wire_format,
        extra=extra or {},
    )


def embed(embedder: LiteLLMEmbedder, *requests: list[str]) -> list[EmbeddingReply]:
    """The replies to these requests, sent one after another."""

    async def run() -> list[EmbeddingReply]:
        try:
            return [await embedder.embed(inputs) for inputs in requests]
        finally:
            await embedder.aclose()

    return anyio.run(run)
