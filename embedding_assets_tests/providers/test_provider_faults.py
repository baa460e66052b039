"""What status, codes and headers mean, on paper."""

from datetime import datetime, timezone

import pytest

from embedding_assets.domain.failures import ErrorType
from embedding_assets.providers.provider_faults import codes_in, error_type_of, retry_after_seconds

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


def test_a_google_key_refused_with_400_is_a_matter_of_credentials() -> None:
    assert error_type_of(400, ("INVALID_ARGUMENT", "API_KEY_INVALID"), "") is ErrorType.CREDENTIALS_REJECTED


def test_googles_quota_per_minute_is_a_rate_limit_and_no_budget() -> None:
    text = "You exceeded your current quota, please check your plan and billing details."
    assert error_type_of(429, ("RESOURCE_EXHAUSTED",), text) is ErrorType.RATE_LIMITED


def test_an_unlisted_status_is_unexpected() -> None:
    assert error_type_of(418, (), "") is ErrorType.UNEXPECTED
