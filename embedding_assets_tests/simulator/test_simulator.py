"""The simulated provider keeps the rules a test relies on: faults in turn, limits in a true window, honest counts."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import pytest

from embedding_assets_tests.simulator import (
    Arrival,
    ArrivalLog,
    FaultKind,
    Simulator,
    SimulatorClient,
    expected_vector,
)
from embedding_assets_tests.simulator.arrivals import largest_in_window
from embedding_assets_tests.simulator.traffic import Limits, Traffic


def _post(provider: SimulatorClient, *inputs: str, model: str = "simulated") -> dict[str, Any]:
    body = json.dumps({"model": model, "input": inputs}).encode()
    with urllib.request.urlopen(f"{provider.api_base}/embeddings", data=body, timeout=10) as response:
        return json.loads(response.read())


def test_the_same_text_has_the_same_unit_vector_and_another_text_another() -> None:
    first, again, other = expected_vector("a", 64), expected_vector("a", 64), expected_vector("b", 64)
    np.testing.assert_array_equal(first, again)
    assert abs(first @ other) < 0.9
    assert np.linalg.norm(first) == pytest.approx(1.0)


def test_a_fault_with_times_ends_by_itself() -> None:
    with Simulator() as provider:
        provider.fault(FaultKind.STATUS, status=503, times=1)
        with pytest.raises(urllib.error.HTTPError, match="503"):
            _post(provider, "a")
        assert len(_post(provider, "a")["data"]) == 1


def test_counts_tell_received_from_answered_and_find_duplicates() -> None:
    with Simulator() as provider:
        provider.fault(FaultKind.STATUS, status=500, times=1)
        with pytest.raises(urllib.error.HTTPError):
            _post(provider, "a")
        _post(provider, "a", "b")
        _post(provider, "a")
        counters = provider.counters()
    assert (counters.requests, counters.inputs) == (3, 4)
    assert (counters.distinct_inputs, counters.max_duplicates) == (2, 2)
    assert counters.statuses == {"500": 1, "200": 2}


def test_a_request_beyond_the_limit_is_told_when_to_come_again() -> None:
    with Simulator() as provider:
        provider.limit(requests=1)
        _post(provider, "a")
        with pytest.raises(urllib.error.HTTPError) as caught:
            _post(provider, "b")
    assert caught.value.code == 429
    assert 0 < float(caught.value.headers["Retry-After"]) <= 60


def test_the_window_slides_and_a_refused_request_is_not_in_it() -> None:
    traffic = Traffic()
    traffic.limits = Limits(requests=2, inputs=3)
    assert traffic.seconds_until_allowed(0.0, ["a"]) == 0.0
    assert traffic.seconds_until_allowed(10.0, ["a", "b", "c"]) == 50.0
    assert traffic.seconds_until_allowed(20.0, ["a"]) == 0.0
    assert traffic.seconds_until_allowed(59.9, ["a"]) == pytest.approx(0.1)
    assert traffic.seconds_until_allowed(60.0, ["a"]) == 0.0


def test_every_arrival_is_logged_with_its_model_and_its_answer() -> None:
    before = time.monotonic()
    with Simulator() as provider:
        provider.limit(requests=2)
        _post(provider, "a")
        _post(provider, "a", model="neighbour")
        with pytest.raises(urllib.error.HTTPError):
            _post(provider, "a")
        log = provider.arrivals(since=before)
        assert provider.arrivals(since=time.monotonic()).rows == []
    assert [(row.model, row.status) for row in log.rows] == [
        ("simulated", "200"),
        ("neighbour", "200"),
        ("simulated", "429"),
    ]
    assert before <= log.rows[0].at <= log.rows[1].at <= log.rows[2].at
    assert (log.count(model="neighbour"), log.count(status="429"), log.count()) == (1, 1, 3)


def test_the_largest_window_is_found_wherever_it_lies() -> None:
    log = ArrivalLog(Arrival(at, "a" if at < 65 else "b") for at in (0.0, 30.0, 59.9, 60.0, 70.0, 119.9, 120.1))
    assert log.largest_in_window(60) == 4
    assert (log.largest_in_window(60, model="a"), log.largest_in_window(60, model="b")) == (3, 3)
    assert largest_in_window([0.0, 60.0], 60) == 1
    assert largest_in_window([], 60) == 0


def test_who_comes_before_the_retry_after_of_anybody_has_passed_is_counted() -> None:
    log = ArrivalLog()
    log.asked_to_wait(10.0, 5.0)
    log.asked_to_wait(11.0, 1.0)
    for moment in (10.5, 14.9, 15.0):
        log.arrived(moment, "simulated")
    assert [row.into_wait for row in log.rows] == [pytest.approx(0.5), pytest.approx(4.9), None]
    assert (log.sent_during_wait(), log.sent_during_wait(later_than=1)) == (2, 1)
    assert log.latest_into_wait == pytest.approx(4.9)


def test_a_wait_that_was_asked_for_is_counted_over_the_wire_whoever_asked() -> None:
    with Simulator() as provider:
        provider.fault(FaultKind.STATUS, status=429, retry_after="30", times=1)
        with pytest.raises(urllib.error.HTTPError):
            _post(provider, "a")
        _post(provider, "a", model="neighbour")
        counters = provider.counters()
    assert (counters.sent_during_retry_after, counters.largest_window) == (1, 2)


def test_it_runs_as_a_process_that_prints_its_address() -> None:
    command = [sys.executable, "-m", "embedding_assets_tests.simulator", "--port", "0", "--dimensions", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            provider = SimulatorClient(json.loads(process.stdout.readline())["base_url"])
            (item,) = _post(provider, "a")["data"]
        finally:
            process.terminate()
    np.testing.assert_array_equal(np.float32(item["embedding"]), expected_vector("a", 4))
