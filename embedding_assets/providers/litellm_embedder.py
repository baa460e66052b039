"""An embedding model behind any provider LiteLLM knows: one request per call, errors translated, vectors checked.

Not here: retries, the rate limit and packing (pipeline); the model that runs in this process (local_embedder).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio
import anyio.to_thread

from embedding_assets.domain.failures import ErrorType, WireFormatRefused
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.ports import EmbeddingReply
from embedding_assets.domain.prices import PriceOrigin
from embedding_assets.domain.replies import check_reply
from embedding_assets.providers import litellm_loading
from embedding_assets.providers.litellm_errors import refuses_base64, translate
from embedding_assets.providers.tokenizers import count_tokens
from embedding_assets.providers.wire_format import BASE64, FLOAT, format_of, read_items

SEND_DIMENSIONS = "send_dimensions"
PASSED_ON = frozenset(
    {
        "api_version",
        "aws_region_name",
        "input_type",
        "task_type",
        "vertex_location",
        "vertex_project",
    }
)


class LiteLLMEmbedder:
    """The `Embedder` for every model LiteLLM can name.

    `wire_format` is `base64`, `float`, or None to find out: base64 is asked for first and floats are accepted, and
    after the first reply the attribute says which it is, for the caller to keep. A provider that refuses base64 costs
    one more request, once, which the caller sends: it may have to be reserved. `extra` takes `send_dimensions` (true: ask
    for the model's dimensions) and the provider's own options named in `PASSED_ON`; another option is a ValueError.
    `usd_per_million_tokens` goes before LiteLLM's price list.
    """

    def __init__(
        self,
        model: EmbeddingModel,
        *,
        api_base: str | None,
        api_key: str | None,
        timeout_seconds: float,
        wire_format: str | None,
        extra: Mapping[str, object],
        usd_per_million_tokens: float | None = None,
    ) -> None:
        if wire_format not in (None, BASE64, FLOAT):
            message = f"wire_format is {BASE64!r}, {FLOAT!r} or unset, not {wire_format!r}"
            raise ValueError(message)
        self._model = model
        self._timeout_seconds = timeout_seconds
        self._arguments = _arguments(model, api_base, api_key, timeout_seconds, extra)
        self._litellm: Any = None
        self.wire_format = wire_format
        self.usd_per_million_tokens = usd_per_million_tokens
        self.price_origin = PriceOrigin.UNKNOWN if usd_per_million_tokens is None else PriceOrigin.FILE

    @property
    def model(self) -> EmbeddingModel:
        """The model whose vectors this returns."""
        return self._model

    async def prepare(self) -> None:
        """Load LiteLLM, and look up the price where none is configured."""
        litellm = await self._open()
        if self.usd_per_million_tokens is None:
            self.usd_per_million_tokens = litellm_loading.list_price(litellm, self._model.name)
            self.price_origin = PriceOrigin.UNKNOWN if self.usd_per_million_tokens is None else PriceOrigin.LISTED

    def count_tokens(self, inputs: Sequence[str]) -> list[int]:
        """By OpenAI's tokenizers for its models, whose files LiteLLM ships; any other model's are guessed high."""
        return count_tokens(self._model.name, inputs)

    async def embed(self, inputs: Sequence[str]) -> EmbeddingReply:
        """One provider request for these inputs; never retries by itself.

        Raises:
            WireFormatRefused: base64 was refused; the next call asks for floats.
            ProviderError: classified, with the HTTP status and Retry-After where the provider gave them.
        """
        response = await self._answer(list(inputs))
        items: list[object] = list(response.data or [])
        if items:
            self.wire_format = format_of(items)
        reply = check_reply(read_items(items), inputs=len(inputs), model=self._model, tokens=_tokens(response))
        return replace(reply, cost_usd=self._cost_usd(response, reply.tokens))

    async def aclose(self) -> None:
        """Close connections to the provider; the embedder opens new ones if it is used again."""
        if self._litellm:
            self._litellm = None
            await litellm_loading.closed(self)

    async def _answer(self, inputs: list[str]) -> Any:
        asks_base64 = self.wire_format != FLOAT
        try:
            return await self._request(inputs, {"encoding_format": BASE64} if asks_base64 else {})
        except Exception as error:  # noqa: BLE001  whatever comes out of a provider's library is translated
            if asks_base64 and refuses_base64(error, inputs):
                self.wire_format = FLOAT
                failure = WireFormatRefused(ErrorType.MALFORMED_REPLY, f"{self._model.name} does not send base64")
            else:
                failure = translate(error, model_name=self._model.name)
        raise failure  # out of the handler, so that no traceback carries the provider's text

    def _cost_usd(self, response: Any, tokens: int | None) -> float | None:
        if self.usd_per_million_tokens is not None and tokens is not None:
            return tokens * self.usd_per_million_tokens / 1e6
        return _listed_cost_usd(response)

    async def _open(self) -> Any:
        litellm = await anyio.to_thread.run_sync(litellm_loading.load_litellm)
        if self._litellm is None:
            self._litellm = litellm
            litellm_loading.opened(self)
        return litellm

    async def _request(self, inputs: list[str], encoding: Mapping[str, str]) -> Any:
        litellm = self._litellm or await self._open()
        # The library's time-out starts anew with every packet; this one holds for the request as a whole.
        with anyio.fail_after(self._timeout_seconds):
            return await litellm.aembedding(input=inputs, **encoding, **self._arguments)


def _arguments(
    model: EmbeddingModel,
    api_base: str | None,
    api_key: str | None,
    timeout_seconds: float,
    extra: Mapping[str, object],
) -> dict[str, object]:
    options = dict(extra)
    send_dimensions = options.pop(SEND_DIMENSIONS, False)
    unknown = sorted(set(options) - PASSED_ON)
    if unknown:
        known = ", ".join(sorted(PASSED_ON | {SEND_DIMENSIONS}))
        message = f"unknown options of model {model.name}: {', '.join(unknown)}; known are {known}"
        raise ValueError(message)
    arguments: dict[str, object] = {"model": model.name, "timeout": timeout_seconds, "num_retries": 0, **options}
    if send_dimensions:
        arguments.update(dimensions=model.dimensions, allowed_openai_params=["dimensions"])
    if api_base:
        arguments["api_base"] = api_base
    if api_key:
        arguments["api_key"] = api_key
    return arguments


def _tokens(response: Any) -> int | None:
    """The provider's count; LiteLLM fills in 0 where it gave none."""
    count = getattr(response.usage, "prompt_tokens", None)
    return int(count) if count else None


def _listed_cost_usd(response: Any) -> float | None:
    """LiteLLM's price from its packaged list; None for a model it does not know."""
    cost = (getattr(response, "_hidden_params", None) or {}).get("response_cost")
    return None if cost is None else float(cost)
