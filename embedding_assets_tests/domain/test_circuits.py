"""Which failure stops whom, and what is said of an open circuit."""

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from embedding_assets.domain.circuits import CircuitOpen, OpenCircuit, Scopes, in_the_way
from embedding_assets.domain.failures import ClassifiedError, ErrorType, ProviderError, SourceError, StoreError

SCOPES = Scopes("docs", "openai/small")
EVERYBODY, HOW_WE_ASK, SOURCE = "openai/small", "openai/small of docs", "source docs"
OPEN = OpenCircuit(
    EVERYBODY, "provider_unavailable", "it answered 503", datetime(2030, 1, 1, 12, tzinfo=timezone.utc), 600.0, 25.0, 3
)


@pytest.mark.parametrize(
    ("error", "scope"),
    [
        (ProviderError(ErrorType.CREDENTIALS_REJECTED, "x"), EVERYBODY),
        (ProviderError(ErrorType.BUDGET_REACHED, "x"), EVERYBODY),
        (ProviderError(ErrorType.CONNECTION_FAILED, "x"), EVERYBODY),
        (ProviderError(ErrorType.PROVIDER_UNAVAILABLE, "x"), EVERYBODY),
        (ProviderError(ErrorType.PROVIDER_TIMEOUT, "x"), EVERYBODY),
        (ProviderError(ErrorType.MALFORMED_REPLY, "x"), EVERYBODY),
        (ProviderError(ErrorType.UNKNOWN_MODEL, "x"), HOW_WE_ASK),
        (ProviderError(ErrorType.UNEXPECTED, "x"), HOW_WE_ASK),
        (ProviderError(ErrorType.DIMENSION_MISMATCH, "x"), HOW_WE_ASK),
        (ProviderError(ErrorType.INPUT_REJECTED, "x"), HOW_WE_ASK),
        (ProviderError(ErrorType.RATE_LIMITED, "x"), None),
        (SourceError(ErrorType.ROOT_UNAVAILABLE, "x"), SOURCE),
        (SourceError(ErrorType.SOURCE_UNREADABLE, "x"), None),
        (StoreError(ErrorType.DATABASE_UNAVAILABLE, "x"), None),
        (ClassifiedError(ErrorType.BUDGET_REACHED, "a budget of ours"), None),
        (CircuitOpen(OPEN), None),
    ],
)
def test_a_failure_stops_those_who_would_meet_it_too(error: ClassifiedError, scope: str | None) -> None:
    assert SCOPES.of(error) == scope
    assert scope is None or scope in SCOPES.all


def test_a_collection_that_asks_the_model_wrongly_stops_no_other_collection() -> None:
    scope = SCOPES.of(ProviderError(ErrorType.DIMENSION_MISMATCH, "x"))
    assert scope not in Scopes("tickets", "openai/small").all


def test_the_sentence_says_what_since_when_and_when_it_is_probed() -> None:
    assert OPEN.sentence == (
        "it answered 503; nobody claims for openai/small since 2030-01-01 12:00:00 UTC, 10 min ago: it is probed in 25 s"
    )
    due = replace(OPEN, probe_in_seconds=-3.0)
    assert (due.due, OPEN.due) == (True, False)
    assert due.sentence.endswith(": the next run probes it")
    assert (due.wait.seconds, OPEN.wait.seconds, OPEN.wait.reason) == (0.0, 25.0, OPEN.sentence)


def test_of_several_circuits_the_one_that_is_probed_last_is_in_the_way() -> None:
    later = replace(OPEN, provider=HOW_WE_ASK, probe_in_seconds=300.0)
    assert in_the_way([OPEN, later]) is in_the_way([later, OPEN]) is later
    assert in_the_way([]) is None


def test_a_reason_that_only_another_release_knows_is_unexpected_here() -> None:
    assert CircuitOpen(OPEN).error_type is ErrorType.PROVIDER_UNAVAILABLE
    assert CircuitOpen(replace(OPEN, reason="sunspots")).error_type is ErrorType.UNEXPECTED
