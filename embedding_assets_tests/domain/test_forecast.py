"""A forecast says what will be, how wide it may be off, and nothing where it knows too little."""

from datetime import date, timedelta

import numpy as np
import pytest

from embedding_assets.domain.forecast import History, Projection, TooLittle, forecast, history_of, relative_error
from embedding_assets.domain.trends import Days

MONDAY = date(2026, 1, 5)
WEEK = np.array([1.3, 1.3, 1.2, 1.2, 1.0, 0.6, 0.4])


def history(values: Days) -> History:
    return History(MONDAY, values)


def arrivals(count: int, *, seed: int = 1, noise: float = 0.1) -> Days:
    number = np.arange(count)
    return (500 + 2 * number) * WEEK[number % 7] * np.random.default_rng(seed).lognormal(0, noise, count)


def made(values: Days, *, weekly: bool = True, days: int = 90) -> Projection:
    projection = forecast(history(values), weekly=weekly, days=days)
    assert isinstance(projection, Projection)
    return projection


@pytest.mark.parametrize("known", [0, 1, 13])
def test_with_less_than_two_weeks_there_is_no_forecast_and_it_says_what_is_missing(known: int) -> None:
    answer = forecast(history(arrivals(known)) if known else None, weekly=True)
    assert isinstance(answer, TooLittle)
    assert (answer.known_days, answer.needed_days) == (known, 14)
    assert answer.sentence == f"no forecast: {known} days of history are known, and 14 are needed"


def test_unknown_days_are_no_history() -> None:
    values = arrivals(20)
    values[3:12] = np.nan
    assert forecast(history(values), weekly=True) == TooLittle(11, 14)


def test_a_weekday_that_was_never_seen_is_not_guessed() -> None:
    values = arrivals(28)
    values[2::7] = np.nan
    answer = forecast(history(values), weekly=True)
    assert isinstance(answer, TooLittle)
    assert "weekday" in answer.sentence


def test_two_weeks_are_enough_for_a_forecast_but_not_for_a_back_test() -> None:
    assert made(arrivals(14)).backtest is None


def test_the_estimate_lies_in_its_band_and_nothing_is_negative() -> None:
    projection = made(arrivals(70))
    assert (projection.low <= projection.estimate).all()
    assert (projection.estimate <= projection.high).all()
    assert projection.low.min() >= 0


def test_the_band_holds_what_comes() -> None:
    held = []
    for seed in range(10):
        whole = arrivals(150, seed=seed, noise=0.2)
        projection = made(whole[:90], days=60)
        held.append(((whole[90:] >= projection.low) & (whole[90:] <= projection.high)).mean())
    assert np.mean(held) >= 0.8


def test_the_back_test_tells_the_error_of_the_same_forecast_on_the_past() -> None:
    calm, wild = made(arrivals(120, noise=0.05)).backtest, made(arrivals(120, noise=0.6)).backtest
    assert calm is not None
    assert wild is not None
    assert calm.error < 0.1 < wild.error
    assert calm.inside_band >= 0.8


def test_a_constant_history_is_certain_and_divides_by_no_zero() -> None:
    projection = made(np.full(60, 100.0), weekly=False)
    assert projection.estimate == pytest.approx(np.full(90, 100.0))
    assert projection.high == pytest.approx(np.full(90, 100.0), rel=1e-3)


def test_a_level_follows_its_straight_line() -> None:
    projection = made(1e9 + 5e6 * np.arange(60, dtype=np.float64), weekly=False)
    assert projection.per_day == pytest.approx(5e6)
    assert projection.reaches(1.5e9, projection.estimate) == MONDAY + timedelta(days=100)


def test_what_is_never_reached_has_no_date() -> None:
    projection = made(np.full(60, 100.0), weekly=False)
    assert projection.reaches(101.0, projection.estimate) is None


def test_rows_in_any_order_with_gaps_become_days() -> None:
    rows = [(MONDAY + timedelta(days=4), 5.0), (MONDAY, 1.0), (MONDAY + timedelta(days=2), None)]
    found = history_of(rows)
    assert found is not None
    assert (found.first, found.last, found.known, len(found.values)) == (MONDAY, MONDAY + timedelta(days=4), 2, 5)
    assert history_of([(MONDAY, None)]) is None


def test_only_the_last_year_counts() -> None:
    found = history_of([(MONDAY + timedelta(days=number), 1.0) for number in range(500)])
    assert found is not None
    assert (len(found.values), found.last) == (365, MONDAY + timedelta(days=499))


def test_errors_are_of_whole_weeks_and_unknown_days_count_on_neither_side() -> None:
    estimate = np.full(14, 10.0)
    actual = np.concatenate([[17.0, 3.0, 10, 10, 10, 10, 10], np.full(7, 20.0)])
    assert relative_error(estimate, actual) == pytest.approx(70 / 210)
    actual[7:] = np.nan
    assert relative_error(estimate, actual) == 0.0
