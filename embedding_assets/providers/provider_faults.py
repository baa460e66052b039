"""What a provider's answer says: from HTTP status, error codes, sentences and headers to our error types.

Pure: it needs no provider library. Not here: finding these facts in a library's exceptions (litellm_errors).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import cast

from embedding_assets.domain.failures import ErrorType


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP error answer: `headers` with lower-case names, `body` as decoded JSON (None: it is none), `text` all it says."""

    status: int
    headers: Mapping[str, str]
    body: object = None
    text: str = ""

    @property
    def codes(self) -> tuple[str, ...]:
        """Its machine-readable words, Amazon's from a header."""
        header = self.headers.get("x-amzn-errortype", "").partition(":")[0]
        return ((header,) if _CODE.fullmatch(header) else ()) + codes_in(self.body)


_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{1,60}")
_CODE_KEYS = frozenset({"code", "type", "status", "reason"})
_BY_CODE = {
    **dict.fromkeys(
        (
            "insufficient_quota",
            "billing_hard_limit_reached",
            "billing_not_active",
            "billing_disabled",
            "insufficient_balance",
            "servicequotaexceededexception",
        ),
        ErrorType.BUDGET_REACHED,
    ),
    **dict.fromkeys(
        ("model_not_found", "model_not_available", "invalid_model", "deploymentnotfound", "operationnotsupported"),
        ErrorType.UNKNOWN_MODEL,
    ),
    **dict.fromkeys(
        (
            "invalid_api_key",
            "api_key_invalid",
            "authentication_error",
            "unrecognizedclientexception",
            "expiredtokenexception",
            "invalidsignatureexception",
            "incompletesignature",
            "notauthorized",
        ),
        ErrorType.CREDENTIALS_REJECTED,
    ),
}
# Where a provider has no code for it. Each must be all of the message, so that a document that is quoted in one cannot pass for it.
_BY_SENTENCE = (
    (re.compile(r"The provided model identifier is invalid\.?"), ErrorType.UNKNOWN_MODEL),
    (re.compile(r"Invocation of model ID \S+ with on-demand throughput isn.t supported\..*"), ErrorType.UNKNOWN_MODEL),
    (re.compile(r"Model \S+ is not supported\. Supported models are .*"), ErrorType.UNKNOWN_MODEL),
    (re.compile(r'("\S+"|[Tt]his (model|server)) does not support embeddings?\.?'), ErrorType.UNKNOWN_MODEL),
    (re.compile(r"You are using a Trial key, which is limited to \d+ API calls / month\b.*"), ErrorType.BUDGET_REACHED),
    (re.compile(r"Your AWS account is not authorized to invoke this API operation\.?"), ErrorType.CREDENTIALS_REJECTED),
)
_CONTEXT = re.compile(
    r"context_length_exceeded|maximum context|context length|context window|input token count|too many (input )?tokens"
    r"|max(imum)? (input|sequence) length|exceeds? the max\w* (number of )?tokens|input is too long|expected maxLength"
    r"|(less|fewer) than \d+ tokens|too large to process",
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
    424: ErrorType.PROVIDER_UNAVAILABLE,  # Bedrock: the model itself failed
    501: ErrorType.UNKNOWN_MODEL,  # it is served, but not for this
}
# What is about the content of the request; Cohere answers 498 to a word it does not take.
_ABOUT_INPUTS = frozenset({400, 413, 422, 498})


def error_type_of(answer: Answer) -> ErrorType:
    """The error type of an HTTP error answer.

    Only a code, or a sentence that is all of the message, can make an error systemic: a provider may quote the input, and one
    document must not be able to stop a collection by what it says.
    """
    status, said = answer.status, _said(answer)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ErrorType.BUDGET_REACHED if said is ErrorType.BUDGET_REACHED else ErrorType.RATE_LIMITED
    if said is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return said
    # Some that run their own model answer 500 to an input that is too long for it.
    if status in _ABOUT_INPUTS or status == HTTPStatus.INTERNAL_SERVER_ERROR:
        if _CONTEXT.search(answer.text):
            return ErrorType.CONTEXT_TOO_LONG
        if status in _ABOUT_INPUTS:
            return ErrorType.INPUT_REJECTED
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return ErrorType.PROVIDER_UNAVAILABLE if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ErrorType.UNEXPECTED


def _said(answer: Answer) -> ErrorType | None:
    for code in answer.codes:
        if code.lower() in _BY_CODE:
            return _BY_CODE[code.lower()]
    message = message_in(answer.body)
    return next((error_type for sentence, error_type in _BY_SENTENCE if sentence.fullmatch(message)), None)


def message_in(body: object) -> str:
    """The message of a decoded JSON body, wherever the provider puts it; empty where there is none."""
    if isinstance(body, str):
        return body
    if isinstance(body, dict):
        held = cast(dict[str, object], body)
        return next((message_in(held[key]) for key in ("error", "message", "detail") if held.get(key)), "")
    return ""


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
