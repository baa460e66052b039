"""The soak's arithmetic: what is ours of a limit, and what its verdict says of a log."""

import pytest

from embedding_assets_tests.simulator import Arrival, ArrivalLog
from embedding_assets_tests.soak.database import MODEL, Standing
from embedding_assets_tests.soak.freshness import Freshness
from embedding_assets_tests.soak.neighbour import NEIGHBOUR_MODEL
from embedding_assets_tests.soak.scenarios import SCENARIOS, Scenario
from embedding_assets_tests.soak.verdict import Minute, judge, minute_of, quantile

_BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
_GOOD_END = Standing(published=10, failed_attempts=0, lost_claims=0, held=0, by_shard={0: 4, 1: 6})
_FRESH = Freshness([1.0] * 20, unpublished=0)


@pytest.mark.parametrize(
    ("name", "neighbour", "ours"),
    [
        ("own-135", 135, 315),
        ("own-135", 0, 315),
        ("own-250", 250, 200),
        ("total-135", 135, 180),
        ("total-135", 310, 20),
    ],
)
def test_what_is_ours_depends_on_what_the_neighbour_takes(name: str, neighbour: int, ours: int) -> None:
    assert _BY_NAME[name].allowed(neighbour) == ours


def test_a_minute_has_what_came_from_its_start_to_before_its_end() -> None:
    moments = [(9.9, MODEL, "200"), (10.0, MODEL, "200"), (69.9, NEIGHBOUR_MODEL, "429"), (70.0, MODEL, "429")]
    log = ArrivalLog(Arrival(at, model, status) for at, model, status in moments)
    assert minute_of(log, 10.0) == Minute(ours=1, neighbour=1, refused=1)


def _failing(
    scenario: Scenario,
    minutes: list[Minute],
    end: Standing = _GOOD_END,
    log: ArrivalLog | None = None,
    live: Freshness = _FRESH,
) -> set[str]:
    found = judge(scenario, minutes, log or ArrivalLog(), end, documents=10, live=live)
    return {finding.what for finding in found if finding.passed is False}


def test_a_steady_load_fails_by_one_429_by_too_little_use_and_by_a_lost_claim() -> None:
    scenario = _BY_NAME["own-135"]
    assert _failing(scenario, [Minute(315, 135, 0), Minute(300, 135, 0)]) == set()
    assert _failing(scenario, [Minute(315, 135, 1)]) == {"429s"}
    assert _failing(scenario, [Minute(290, 135, 0)]) == {"own use"}
    lost = Standing(published=10, failed_attempts=1, lost_claims=1, held=1, by_shard={})
    assert _failing(scenario, [Minute(315, 135, 0)], lost) == {
        "attempts that failed",
        "claims lost",
        "claims held by workers told to stop",
    }


def test_a_finite_load_fails_when_429s_go_on_when_told_workers_send_and_when_something_is_missing() -> None:
    scenario = _BY_NAME["hidden"]
    dying, going_on = [Minute(300, 0, 100), Minute(200, 0, 5)], [Minute(300, 0, 100), Minute(300, 0, 100)]
    assert _failing(scenario, dying) == set()
    assert _failing(scenario, going_on) == {"429s in all, in the worst minute, in the last"}
    unfinished = Standing(published=9, failed_attempts=0, lost_claims=0, held=0, by_shard={})
    assert _failing(scenario, dying, unfinished) == {"everything is published"}
    knowing = ArrivalLog([Arrival(5.0, MODEL, "429", into_wait=3.0)])
    assert _failing(scenario, dying, log=knowing) == {"… more than 1 s after it began"}


@pytest.mark.parametrize(
    ("values", "part", "value"),
    [
        (range(1, 101), 0.5, 50),
        (range(1, 101), 0.95, 95),
        (range(1, 101), 1.0, 100),
        ([3, 1, 2], 0.95, 3),
        ([], 0.5, float("inf")),
    ],
)
def test_a_quantile_is_the_least_value_that_so_many_do_not_exceed(
    values: list[float], part: float, value: float
) -> None:
    assert quantile(values, part) == value


@pytest.mark.parametrize("name", ["live-beside-backfill", "live-beside-backfill-unlimited"])
def test_live_changes_fail_when_one_of_twenty_takes_a_minute_one_is_left_or_the_backfill_stands_still(
    name: str,
) -> None:
    scenario = _BY_NAME[name]
    minutes = [Minute(312, 0, 0, backfill=252), Minute(312, 0, 0, backfill=1)]
    late = Freshness([1.0] * 94 + [60.0] * 6, 0)
    assert _failing(scenario, minutes, live=late) == {"live lag, p50, p95, max of 100 changes"}
    assert _failing(scenario, minutes, live=Freshness([1.0] * 95 + [60.0] * 5, 0)) == set()
    assert _failing(scenario, minutes, live=Freshness([1.0] * 100, 1)) == {"live changes not published"}
    still = [Minute(312, 0, 0, backfill=252), Minute(312, 0, 0, backfill=0)]
    assert _failing(scenario, still) == {"backfill published, all and in the least minute"}


def test_a_backfill_without_a_limit_has_to_be_published_whole_and_a_limited_one_has_to_use_its_limit() -> None:
    unlimited, limited = _BY_NAME["live-beside-backfill-unlimited"], _BY_NAME["live-beside-backfill"]
    minutes = [Minute(200, 0, 0, backfill=140)]
    unfinished = Standing(published=9, failed_attempts=0, lost_claims=0, held=0, by_shard={})
    assert _failing(unlimited, minutes, unfinished) == {"everything is published"}
    assert _failing(limited, minutes, unfinished) == {"own use"}
