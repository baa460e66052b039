"""Waits between tries: the ladder of a document, what a provider may ask of a run, the probes of a circuit."""

from itertools import accumulate

import pytest

from embedding_assets.domain.backoff import (
    LONGEST_BLOCK_SECONDS,
    LONGEST_RETRY_SECONDS,
    Escalate,
    Retry,
    next_step,
    probe_wait,
    retry_wait,
    short_wait,
    throttled_wait,
)
from embedding_assets.domain.failures import FailureClass

_TEN_HOURS = 36_000.0


def test_a_transient_failure_climbs_the_ladder_and_is_then_escalated() -> None:
    steps = [next_step(FailureClass.TRANSIENT, attempts, luck=0) for attempts in range(1, 6)]
    assert steps == [Retry(300), Retry(1800), Retry(7200), Retry(86400), Escalate()]


def test_poison_is_tried_once_more() -> None:
    steps = [next_step(FailureClass.POISON, attempts, luck=0) for attempts in (1, 2)]
    assert steps == [Retry(300), Escalate()]


def test_a_run_does_what_the_provider_asks_within_bounds() -> None:
    assert retry_wait(7.5, 1, luck=0) == throttled_wait(7.5, luck=0) == 7.5
    assert retry_wait(_TEN_HOURS, 1, luck=0) == LONGEST_RETRY_SECONDS
    assert throttled_wait(_TEN_HOURS, luck=0) == LONGEST_BLOCK_SECONDS


@pytest.mark.parametrize("asked", [None, 0.0])
def test_without_a_word_of_the_provider_the_wait_doubles(asked: float | None) -> None:
    assert [retry_wait(asked, tries, luck=1) for tries in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert throttled_wait(asked, luck=1) == short_wait(3, luck=1)


def test_probes_of_a_circuit_come_after_half_a_minute_then_ever_more_rarely_down_to_one_in_five_minutes() -> None:
    assert [probe_wait(probes) for probes in range(6)] == [30, 60, 120, 240, 300, 300]
    assert probe_wait(100_000) == 300


def test_an_outage_of_an_hour_costs_fourteen_probes() -> None:
    moments = list(accumulate(probe_wait(probes) for probes in range(20)))
    assert len([moment for moment in moments if moment < 3600]) == 14
