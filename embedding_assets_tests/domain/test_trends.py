"""A trend is what most days say: no burst and no holiday turns it, and a step stays a step."""

import numpy as np
import pytest

from embedding_assets.domain.trends import Days, fit, weekly_index

WEEK = np.array([1.3, 1.3, 1.2, 1.2, 1.0, 0.6, 0.4])


def days(count: int) -> Days:
    return np.arange(count, dtype=np.float64)


def growing(count: int, *, level: float = 1000.0, slope: float = 5.0) -> Days:
    return (level + slope * days(count)) * WEEK[days(count).astype(int) % 7]


def test_growth_with_a_weekly_pattern_is_found_to_the_point() -> None:
    trend = fit(growing(84), weekly=True)
    assert trend.slope == pytest.approx(5.0, rel=0.05)
    assert trend.at(days(120)[84:]) == pytest.approx(growing(120)[84:], rel=0.03)


def test_bursts_and_holidays_do_not_turn_the_slope() -> None:
    values = growing(84)
    values[[10, 33, 59, 80]] *= 6
    values[40:48] = 0
    assert fit(values, weekly=True).slope == pytest.approx(5.0, rel=0.2)


def test_a_step_is_the_new_level_and_not_a_slope() -> None:
    values = np.concatenate([np.full(100, 1000.0), np.full(35, 3000.0)])
    trend = fit(values, weekly=True)
    assert trend.at(days(150)[135:]) == pytest.approx(np.full(15, 3000.0), rel=0.15)


def test_the_index_of_weekdays_has_the_mean_of_one() -> None:
    index = weekly_index(growing(70))
    assert index.mean() == pytest.approx(1.0)
    assert index == pytest.approx(WEEK / WEEK.mean(), rel=0.05)


def test_weekends_on_which_nothing_comes_are_forecast_as_nothing() -> None:
    values = np.tile([10.0, 10.0, 10.0, 10.0, 10.0, 0.0, 0.0], 8)
    ahead = fit(values, weekly=True).at(days(63)[56:])
    assert ahead[5:] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert ahead[:5] == pytest.approx(np.full(5, 10.0), rel=0.01)


def test_arrivals_that_fall_end_at_nothing_and_not_below() -> None:
    assert fit(growing(60, level=600, slope=-9), weekly=True).at(days(200)[150:]).min() == 0.0


def test_a_history_of_nothing_is_forecast_as_nothing() -> None:
    trend = fit(np.zeros(30), weekly=True)
    assert trend.at(days(40)[30:]).max() == 0.0


def test_the_uncertainty_grows_with_the_distance() -> None:
    noise = np.random.default_rng(7).normal(0, 50, 84)
    half = fit(growing(84) + noise, weekly=True).half_width(days(175)[84:])
    assert half[84] > half[0] > 0
