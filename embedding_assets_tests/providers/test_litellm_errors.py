"""Each failure of a provider, over real HTTP: its error type, and that it cost one request."""

import logging
import socket
import traceback

import pytest

from embedding_assets.domain.failures import ErrorType, FailureClass, ProviderError
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets_tests.providers.calls import SECRET, embed, embedder_for
from embedding_assets_tests.simulator import FaultKind, Simulator

DOCUMENT = "the merger with Example Corp closes on Friday"


def _failure(provider: Simulator, timeout_seconds: float = 10.0) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        embed(embedder_for(provider, timeout_seconds=timeout_seconds), [DOCUMENT])
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "error_type"),
    [
        (400, None, ErrorType.INPUT_REJECTED),
        (400, "model_not_found", ErrorType.UNKNOWN_MODEL),
        (401, "invalid_api_key", ErrorType.CREDENTIALS_REJECTED),
        (402, "insufficient_balance", ErrorType.BUDGET_REACHED),
        (403, None, ErrorType.CREDENTIALS_REJECTED),
        (404, "model_not_found", ErrorType.UNKNOWN_MODEL),
        (408, None, ErrorType.PROVIDER_TIMEOUT),
        (409, None, ErrorType.UNEXPECTED),
        (413, None, ErrorType.INPUT_REJECTED),
        (422, None, ErrorType.INPUT_REJECTED),
        (429, "rate_limit_exceeded", ErrorType.RATE_LIMITED),
        (429, "insufficient_quota", ErrorType.BUDGET_REACHED),
        (500, None, ErrorType.PROVIDER_UNAVAILABLE),
        (502, None, ErrorType.PROVIDER_UNAVAILABLE),
        (503, None, ErrorType.PROVIDER_UNAVAILABLE),
        (504, None, ErrorType.PROVIDER_UNAVAILABLE),
        (529, None, ErrorType.PROVIDER_UNAVAILABLE),
    ],
)
def test_an_error_answer_has_its_type_and_costs_one_request(
    provider: Simulator, status: int, code: str | None, error_type: ErrorType
) -> None:
    provider.fault(FaultKind.STATUS, status=status, code=code)
    failure = _failure(provider)
    assert (failure.error_type, failure.status) == (error_type, status)
    assert provider.counters().requests == 1


def test_a_reset_connection_costs_one_request(provider: Simulator) -> None:
    provider.fault(FaultKind.RESET)
    failure = _failure(provider)
    assert (failure.error_type, failure.status) == (ErrorType.CONNECTION_FAILED, None)
    assert provider.counters().statuses == {"reset": 1}


def test_a_provider_that_does_not_answer_in_time_costs_one_request(provider: Simulator) -> None:
    provider.fault(FaultKind.DELAY, seconds=5.0)
    failure = _failure(provider, timeout_seconds=0.3)
    assert failure.error_type is ErrorType.PROVIDER_TIMEOUT
    assert provider.counters().requests == 1


def test_a_refused_connection_is_systemic(provider: Simulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_at_once:
        port = closed_at_once.getsockname()[1]
    with pytest.raises(ProviderError) as caught:
        embed(embedder_for(provider, api_base=f"http://127.0.0.1:{port}/v1"), [DOCUMENT])
    assert caught.value.error_type is ErrorType.CONNECTION_FAILED
    assert caught.value.failure_class is FailureClass.SYSTEMIC


def test_an_input_beyond_the_context_is_told_from_other_rejections(provider: Simulator) -> None:
    provider.fault(FaultKind.CONTEXT_TOO_LONG, longer_than=20)
    failure = _failure(provider)
    assert failure.error_type is ErrorType.CONTEXT_TOO_LONG


def test_only_the_request_with_the_poison_text_fails(provider: Simulator) -> None:
    provider.fault(FaultKind.STATUS, status=400, marker="poison")
    embedder = embedder_for(provider)
    embed(embedder, ["harmless"])
    with pytest.raises(ProviderError, match="rejected an input"):
        embed(embedder, ["harmless", "a poison text"])


def test_a_web_page_instead_of_a_reply_is_a_malformed_reply(provider: Simulator) -> None:
    provider.fault(FaultKind.NOT_JSON)
    failure = _failure(provider)
    assert failure.error_type is ErrorType.MALFORMED_REPLY
    assert "EMBEDDING_ASSETS_API_BASE" in str(failure)


def test_a_wrong_path_names_the_settings_to_check(provider: Simulator) -> None:
    with pytest.raises(ProviderError) as caught:
        embed(embedder_for(provider, api_base=f"{provider.base_url}/v2"), [DOCUMENT])
    assert caught.value.error_type is ErrorType.UNKNOWN_MODEL
    assert "EMBEDDING_ASSETS_API_BASE" in str(caught.value)
    assert "`model`" in str(caught.value)


def test_a_missing_key_is_a_matter_of_credentials(provider: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ProviderError) as caught:
        embed(embedder_for(provider, api_key=None), [DOCUMENT])
    assert caught.value.error_type is ErrorType.CREDENTIALS_REJECTED
    assert "EMBEDDING_ASSETS_API_KEY" in str(caught.value)
    assert provider.counters().requests == 0


def test_a_model_name_without_a_provider_is_an_unknown_model(provider: Simulator) -> None:
    with pytest.raises(ProviderError) as caught:
        embed(embedder_for(provider, model=EmbeddingModel("nobody-knows-this", 8)), [DOCUMENT])
    assert caught.value.error_type is ErrorType.UNKNOWN_MODEL


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_passed_on_in_seconds(provider: Simulator, status: int) -> None:
    provider.fault(FaultKind.STATUS, status=status, retry_after="7")
    assert _failure(provider).retry_after == 7.0


def test_retry_after_as_a_date_in_the_past_asks_for_no_wait(provider: Simulator) -> None:
    provider.fault(FaultKind.STATUS, status=429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT")
    assert _failure(provider).retry_after == 0.0


@pytest.mark.parametrize("status", [400, 401, 422, 429, 500])
def test_neither_the_message_nor_the_traceback_quotes_the_document_or_the_key(provider: Simulator, status: int) -> None:
    provider.fault(FaultKind.STATUS, status=status, message=f"key {SECRET} may not embed: {DOCUMENT}")
    failure = _failure(provider)
    told = "".join(traceback.format_exception(failure)) + repr(failure.__context__) + repr(failure.__cause__)
    assert "Example Corp" not in told
    assert SECRET not in told
    assert str(status) in told


@pytest.mark.parametrize(("fault", "place"), [(FaultKind.STATUS, "HTTP 418"), (FaultKind.RESET, None)])
def test_a_failure_that_nobody_foresaw_is_logged_with_its_type_and_place_but_no_text(
    provider: Simulator, caplog: pytest.LogCaptureFixture, fault: FaultKind, place: str | None
) -> None:
    provider.fault(fault, status=418, message=f"cannot embed {DOCUMENT} with {SECRET}")
    with caplog.at_level(logging.ERROR):
        failure = _failure(provider)
    assert (failure.error_type is ErrorType.UNEXPECTED) == (place is not None)
    logged = [record.getMessage() for record in caplog.records]
    if place is None:
        assert logged == []
        return
    [message] = logged
    assert place in message
    assert "litellm.exceptions." in message
    assert "litellm_embedder.py" in message
    assert "Example Corp" not in message
    assert SECRET not in message


def test_a_document_that_talks_of_quotas_and_models_cannot_stop_the_collection(provider: Simulator) -> None:
    provider.fault(
        FaultKind.STATUS, status=400, message="bad input: 'insufficient_quota model_not_found invalid_api_key'"
    )
    assert _failure(provider).failure_class is FailureClass.POISON
