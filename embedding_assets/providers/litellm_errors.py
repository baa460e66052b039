"""LiteLLM's exceptions, translated to ours.

LiteLLM's own classes are not enough: a refused connection and a page that is not JSON both arrive as its "500 internal
server error", and a 403 as its "API error". The chain of causes underneath tells what happened. Not here: what a
status or a code means (provider_faults).
"""

import importlib
import json
import logging
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from embedding_assets.domain.failures import ErrorType, ProviderError
from embedding_assets.domain.surprises import causes, described
from embedding_assets.providers.provider_faults import Answer, error_type_of, retry_after_seconds

_log = logging.getLogger(__name__)

_ADVICE = {
    ErrorType.RATE_LIMITED: "the provider's rate limit was reached; the request is repeated later",
    ErrorType.CREDENTIALS_REJECTED: "the provider refused the credentials: check EMBEDDING_ASSETS_API_KEY or the"
    " provider's own variable (such as OPENAI_API_KEY), and that the key may use this model",
    ErrorType.UNKNOWN_MODEL: "the provider does not serve the model as configured: check the collection's `model` and"
    " its options, and EMBEDDING_ASSETS_API_BASE",
    ErrorType.BUDGET_REACHED: "the provider's account has no quota left: raise its limit or wait for its next period",
    ErrorType.CONNECTION_FAILED: "the provider cannot be reached: check EMBEDDING_ASSETS_API_BASE and the network",
    ErrorType.PROVIDER_UNAVAILABLE: "the provider answered with an error of its own; the request is repeated later",
    ErrorType.PROVIDER_TIMEOUT: "the provider did not answer in time; the request is repeated later",
    ErrorType.MALFORMED_REPLY: "the answer is not an embeddings reply: check that EMBEDDING_ASSETS_API_BASE is the"
    " provider's API and not a web page or a login",
    ErrorType.INPUT_REJECTED: "the provider rejected an input of this request",
    ErrorType.CONTEXT_TOO_LONG: "an input is longer than the model takes: choose smaller chunks for this collection",
    ErrorType.UNEXPECTED: "the provider library failed in a way this program does not know",
}
_CREDENTIALS = re.compile(r"credential|api[_ ]?key|access token|\bPEM\b", re.IGNORECASE)
_TIMEOUTS = frozenset({"litellm.exceptions.Timeout", "asyncio.exceptions.TimeoutError"})  # Python 3.10 has its own
_UNREADABLE = (AttributeError, TypeError, ValueError, LookupError)
# Google's and Amazon's own libraries, which fetch tokens and sign requests.
_UNREACHED = frozenset({"google.auth.exceptions.TransportError", "botocore.exceptions.EndpointConnectionError"})
_SIGNING = ("google.auth.exceptions.", "botocore.exceptions.")


def translate(error: Exception, *, model_name: str) -> ProviderError:
    """Our error for an exception out of a LiteLLM call. Its message quotes no text of the provider, only its code."""
    chain = list(causes(error))
    for link in chain:
        if isinstance(link, ProviderError):
            return link
    answer = _answer_in(chain)
    error_type = error_type_of(answer) if answer else _unanswered(chain)
    if error_type is ErrorType.UNEXPECTED:
        facts = f"HTTP {answer.status}" if answer else "no answer"
        _log.error("unexpected failure of a call to %s (%s): %s", model_name, facts, described(error))
    if answer is None:
        return _failure(error_type, model_name, None, None)
    headers = {**answer.headers, **_litellm_headers(error)}
    return _failure(error_type, model_name, answer, retry_after_seconds(headers, answer.text))


def refuses_base64(error: Exception, inputs: Sequence[str]) -> bool:
    """Whether the provider, or LiteLLM for it, does not take `encoding_format`.

    An input that holds the word makes it no evidence: some providers quote the input they reject.
    """
    if "encoding_format" not in str(error) or any("encoding_format" in text for text in inputs):
        return False
    return getattr(error, "status_code", None) in (400, 422)


def _failure(error_type: ErrorType, model_name: str, answer: Answer | None, wait: float | None) -> ProviderError:
    facts = [model_name]
    if answer:
        facts.append(f"HTTP {answer.status}")
        facts.extend(answer.codes[:1])
    message = f"{_ADVICE[error_type]} ({', '.join(facts)})"
    return ProviderError(error_type, message, status=answer.status if answer else None, retry_after=wait)


def _answer_in(chain: Sequence[BaseException]) -> Answer | None:
    for link in chain:
        if isinstance(link, _httpx().HTTPStatusError):
            response: Any = getattr(link, "response", None)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, headers, *_body(response))
    return None


def _body(response: Any) -> tuple[object, str]:
    """Decoded JSON, if it is any, and the text."""
    try:
        text = str(response.text)
    except _httpx().StreamError:
        return None, ""
    try:
        return json.loads(text), text
    except ValueError:
        return None, text


def _httpx() -> Any:
    """LiteLLM's HTTP library, imported with it: not when this module is."""
    return importlib.import_module("httpx")


def _litellm_headers(error: Exception) -> dict[str, str]:
    headers: Any = getattr(error, "litellm_response_headers", None) or {}
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _unanswered(chain: Sequence[BaseException]) -> ErrorType:
    """The error type where no HTTP answer came: the network, this machine's set-up, or an answer nobody could read."""
    httpx = _httpx()
    names = {f"{type(link).__module__}.{type(link).__name__}" for link in chain}
    if any(isinstance(link, (httpx.TimeoutException, TimeoutError)) for link in chain) or _TIMEOUTS & names:
        return ErrorType.PROVIDER_TIMEOUT
    if any(isinstance(link, (httpx.TransportError, ConnectionError)) for link in chain) or _UNREACHED & names:
        return ErrorType.CONNECTION_FAILED
    if any(getattr(link, "retryable", False) is True for link in chain):  # Google's token endpoint is out of order
        return ErrorType.CONNECTION_FAILED
    if "litellm.exceptions.BudgetExceededError" in names:
        return ErrorType.BUDGET_REACHED
    if any(name.startswith(_SIGNING) for name in names):
        return ErrorType.CREDENTIALS_REJECTED
    return _unsent(chain)


def _unsent(chain: Sequence[BaseException]) -> ErrorType:
    status = getattr(chain[0], "status_code", None)
    # LiteLLM puts a traceback with its own source lines into some of its messages.
    text = str(chain[0]).partition("Traceback (most recent call last)")[0]
    if status in (401, 403) or (status == HTTPStatus.INTERNAL_SERVER_ERROR and _CREDENTIALS.search(text)):
        return ErrorType.CREDENTIALS_REJECTED
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ErrorType.RATE_LIMITED
    if status in (400, 404, 422) or any(isinstance(link, ImportError) for link in chain):
        return ErrorType.UNKNOWN_MODEL
    if status == HTTPStatus.OK or any(isinstance(link, _UNREADABLE) for link in chain[1:]):
        return ErrorType.MALFORMED_REPLY
    return ErrorType.UNEXPECTED
