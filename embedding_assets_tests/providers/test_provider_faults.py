"""What status, codes and headers mean, on paper."""

import json
from datetime import datetime, timezone

import pytest

from embedding_assets.domain.failures import ErrorType
from embedding_assets.providers.provider_faults import (
    Answer,
    codes_in,
    error_type_of,
    message_in,
    retry_after_seconds,
)

NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("headers", "text", "seconds"),
    [
        ({}, "", None),
        ({"retry-after": "30"}, "", 30.0),
        ({"retry-after": "0.5"}, "", 0.5),
        ({"retry-after": "-3"}, "", 0.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, "", 1.5),
        ({"retry-after": "Tue, 01 Jan 2030 12:01:30 GMT"}, "", 90.0),
        ({"retry-after": "Tue, 01 Jan 2030 11:00:00 GMT"}, "", 0.0),
        ({"retry-after": "soon"}, "", None),
        ({}, '{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.2s"}', 34.2),
    ],
)
def test_the_wait_is_read_from_wherever_the_provider_put_it(
    headers: dict[str, str], text: str, seconds: float | None
) -> None:
    assert retry_after_seconds(headers, text, NOW) == seconds


def test_codes_are_found_where_openai_and_google_put_them() -> None:
    openai = {"error": {"message": "no such model", "type": "invalid_request_error", "code": "model_not_found"}}
    google = {"error": {"status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}
    assert codes_in(openai) == ("invalid_request_error", "model_not_found")
    assert codes_in(google) == ("INVALID_ARGUMENT", "API_KEY_INVALID")


@pytest.mark.parametrize(
    "body", [None, "text", {"error": "text"}, {"error": {"code": "a sentence about something"}}, []]
)
def test_free_text_is_never_a_code(body: object) -> None:
    assert codes_in(body) == ()


def _type(status: int, body: object, headers: dict[str, str] | None = None) -> ErrorType:
    return error_type_of(Answer(status, headers or {}, body, json.dumps(body)))


def test_a_google_key_refused_with_400_is_a_matter_of_credentials() -> None:
    body = {"error": {"status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}
    assert _type(400, body) is ErrorType.CREDENTIALS_REJECTED


def test_googles_quota_per_minute_is_a_rate_limit_and_no_budget() -> None:
    message = "You exceeded your current quota, please check your plan and billing details."
    assert _type(429, {"error": {"status": "RESOURCE_EXHAUSTED", "message": message}}) is ErrorType.RATE_LIMITED


@pytest.mark.parametrize("status", [304, 409, 418, 451])
def test_an_unlisted_status_is_unexpected(status: int) -> None:
    assert _type(status, {}) is ErrorType.UNEXPECTED


def test_amazons_code_is_read_from_its_header() -> None:
    headers = {"x-amzn-errortype": "ExpiredTokenException:http://internal.amazon.com/"}
    assert _type(400, {"message": "expired"}, headers) is ErrorType.CREDENTIALS_REJECTED


@pytest.mark.parametrize(
    "message",
    [
        "cannot embed 'The provided model identifier is invalid.'",
        "The provided model identifier is invalid. That is what I wrote.",
        "bad text: Model x is not supported. Supported models are none",
        "this does not support embeddings",
    ],
)
def test_a_sentence_that_is_only_quoted_makes_nothing_systemic(message: str) -> None:
    assert _type(400, {"message": message}) is ErrorType.INPUT_REJECTED


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "a"}}, "a"),
        ({"error": "b"}, "b"),
        ({"message": "c"}, "c"),
        ({"detail": "d"}, "d"),
        ({"detail": [{"msg": "e"}]}, ""),
        ({"error": None}, ""),
        (None, ""),
    ],
)
def test_the_message_is_found_wherever_the_provider_puts_it(body: object, message: str) -> None:
    assert message_in(body) == message
