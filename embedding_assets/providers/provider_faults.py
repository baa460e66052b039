"""What a provider's answer says: from HTTP status, error codes and headers to our error types.

Pure: it needs no provider library. Not here: finding these facts in a library's exceptions (litellm_errors).
"""

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import cast

from embedding_assets.domain.failures import ErrorType

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{1,60}")
_CODE_KEYS = frozenset({"code", "type", "status", "reason"})
_OUT_OF_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"})
_UNKNOWN_MODEL = frozenset({"model_not_found", "model_not_available", "deploymentnotfound"})
_BAD_KEY = frozenset({"invalid_api_key", "api_key_invalid", "authentication_error"})
_CONTEXT = re.compile(
    r"context_length_exceeded|maximum context|context length|context window|input token count|too many tokens"
    r"|max(imum)? (input|sequence) length|exceeds? the max\w* (number of )?tokens",
    re.IGNORECASE,
)
_GOOGLE_DELAY = re.compile(r"[\"']retryDelay[\"']:\s*[\"'](\d+(?:\.\d+)?)s[\"']")

_BY_STATUS = {
    401: ErrorType.CREDENTIALS_REJECTED,
    402: ErrorType.BUDGET_REACHED,
    403: ErrorType.CREDENTIALS_REJECTED,
    404: ErrorType.UNKNOWN_MODEL,
    405: ErrorType.UNKNOWN_MODEL,
    408: ErrorType.PROVIDER_TIMEOUT,
    410: ErrorType.UNKNOWN_MODEL,
    413: ErrorType.INPUT_REJECTED,
}


def error_type_of(status: int, codes: tuple[str, ...], text: str) -> ErrorType:
    """The error type of an HTTP error answer; `codes` are its machine-readable words, `text` is all it says.

    Only codes can make an error systemic: a provider may quote the input in its text, and one document must not be
    able to stop a collection by what it says.
    """
    words = {code.lower() for code in codes}
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ErrorType.BUDGET_REACHED if words & _OUT_OF_QUOTA else ErrorType.RATE_LIMITED
    if status in (400, 422):
        return _rejection(words, text)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ErrorType.PROVIDER_UNAVAILABLE
    return _BY_STATUS.get(status, ErrorType.UNEXPECTED)


def _rejection(words: set[str], text: str) -> ErrorType:
    if words & _UNKNOWN_MODEL:
        return ErrorType.UNKNOWN_MODEL
    if words & _BAD_KEY:
        return ErrorType.CREDENTIALS_REJECTED
    if words & _OUT_OF_QUOTA:
        return ErrorType.BUDGET_REACHED
    return ErrorType.CONTEXT_TOO_LONG if _CONTEXT.search(text) else ErrorType.INPUT_REJECTED


def codes_in(body: object) -> tuple[str, ...]:
    """The error codes of a decoded JSON body, outermost first: short words only, never free text."""
    if isinstance(body, list):
        return tuple(code for part in cast(list[object], body) for code in codes_in(part))
    if not isinstance(body, dict):
        return ()
    found: list[str] = []
    for key, value in cast(dict[str, object], body).items():
        if key in _CODE_KEYS and isinstance(value, str) and _CODE.fullmatch(value):
            found.append(value)
        elif key in ("error", "details", "detail"):
            found.extend(codes_in(value))
    return tuple(found)


def retry_after_seconds(headers: Mapping[str, str], text: str, now: datetime | None = None) -> float | None:
    """How long the provider asks us to wait, from `retry-after-ms`, `Retry-After` (seconds or date) or Google's body.

    `headers` has lower-case names. None when the provider does not say; never negative.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000)
    value = headers.get("retry-after")
    if value is None:
        delay = _GOOGLE_DELAY.search(text)
        return float(delay.group(1)) if delay else None
    seconds = _number(value)
    return max(0.0, seconds) if seconds is not None else _seconds_until(value, now or datetime.now(timezone.utc))


def _number(value: str | None) -> float | None:
    return float(value) if value is not None and re.fullmatch(r"-?\d+(\.\d+)?", value.strip()) else None


def _seconds_until(value: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - now).total_seconds())
