"""Loading LiteLLM: late, quiet, offline, and sending each request once.

The import takes 3 s and more of CPU, so only code that embeds pays for it. Not here: calling a model
(litellm_embedder), the model that runs in this process (local_embedder).
"""

import functools
import importlib
import logging
import os
import sys
import threading
from typing import Any, NoReturn

from embedding_assets.providers.local_embedder import register_local_provider

_loading = threading.Lock()
_users: set[object] = set()


def load_litellm() -> Any:
    """The `litellm` module, prepared: no price-list fetch, no retries of its own, no logging of inputs."""
    with _loading:
        return _litellm()


@functools.cache
def _litellm() -> Any:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    # Whatever the arguments of a call, its OpenAI path sends 3 requests on errors unless this is 0 at import.
    os.environ["DEFAULT_MAX_RETRIES"] = "0"
    litellm: Any = importlib.import_module("litellm")
    litellm.DEFAULT_MAX_RETRIES = 0  # for a process that had imported it before us
    litellm.suppress_debug_info = True
    if "LITELLM_LOG" not in os.environ:
        # Failures reach the caller as exceptions; its log lines may quote requests.
        logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
    _accept_base64_quietly()
    _send_once()
    register_local_provider(litellm)
    return litellm


def list_price(litellm: Any, model_name: str) -> float | None:
    """US dollars per million input tokens from LiteLLM's packaged list; None for a model that is not on it."""
    try:
        price = litellm.get_model_info(model_name).get("input_cost_per_token")
    except Exception:  # noqa: BLE001  it raises a bare Exception for a model it does not know
        return None
    return None if price is None else float(price) * 1e6


def _accept_base64_quietly() -> None:
    """Stop a warning at its source: the reply type declares floats, and dumping base64 from it warns for every vector.

    Each warning has another text, so Python's default filter would also keep every one of them for ever.
    """
    types: Any = importlib.import_module("openai.types")
    reply = types.CreateEmbeddingResponse
    reply.model_dump = functools.partialmethod(reply.model_dump, warnings=False)


def _send_once() -> None:
    """Stop a second request where the first was cut or refused.

    LiteLLM's own HTTP handler, which serves every provider but those of OpenAI's protocol, sends it anew at once: nobody
    reserved that request, and the first may have been answered.
    """
    handlers: Any = importlib.import_module("litellm.llms.custom_httpx.http_handler")
    handlers.AsyncHTTPHandler.single_connection_post_request = _raise_what_it_handles


async def _raise_what_it_handles(*_: object, **__: object) -> NoReturn:
    error = sys.exc_info()[1]
    assert error is not None
    raise error


def opened(user: object) -> None:
    """Note a user of LiteLLM's HTTP clients, which it keeps per process and not per caller."""
    with _loading:
        _users.add(user)


async def closed(user: object) -> None:
    """Forget a user; the last one closes the clients."""
    with _loading:
        _users.discard(user)
        last = not _users
    if last:
        litellm = load_litellm()
        await litellm.close_litellm_async_clients()
        # The one that Ollama's path uses is not among them; it is made anew when it is asked for.
        if (client := vars(litellm).pop("module_level_aclient", None)) is not None:
            await client.close()
        # Clients are kept under the id of their event loop, which a later loop may be given again.
        litellm.in_memory_llm_clients_cache.flush_cache()
