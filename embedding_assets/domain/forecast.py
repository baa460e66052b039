"""What a daily number will be: an estimate with a band that held 80 % of what came, in a back-test of its own.

With too little history there is no forecast, and what is missing is said. Not here: the trend itself (trends).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from embedding_assets.domain.trends import WEEK, Days, Trend, fit

HORIZON_DAYS = 90
# Two of each weekday: with fewer a weekday's index is a single day's chance.
LEAST_DAYS = 14
# Older days say little, and Theil-Sen compares each with each.
_MOST_DAYS = 365
# Wider than the 80 % that are promised: the past is tried at shorter horizons than the future has. On synthetic histories the
# band held 83 % of days with this, and 79 % with 0.8.
_HELD = 0.85
# A back-test begins with four weeks, and moves on by one.
# The band of a forecast that no past could be held against: as the trend says it held 72 % on synthetic histories.
_UNTRIED = 1.5
_TRAINED_ON = 28
_ORIGINS = 12


@dataclass(frozen=True, slots=True)
class History:
    """Daily values in order; an unknown day is NaN."""

    first: date
    values: Days

    @property
    def known(self) -> int:
        """How many days are known."""
        return int((~np.isnan(self.values)).sum())

    @property
    def last(self) -> date:
        """The last day."""
        return self.first + timedelta(days=len(self.values) - 1)


@dataclass(frozen=True, slots=True)
class TooLittle:
    """Why there is no forecast."""

    known_days: int
    needed_days: int = LEAST_DAYS

    @property
    def sentence(self) -> str:
        """For people."""
        if self.known_days >= self.needed_days:
            return "no forecast: some weekday was never seen in its week; a week without gaps is enough"
        return f"no forecast: {self.known_days} days of history are known, and {self.needed_days} are needed"


@dataclass(frozen=True, slots=True)
class Backtest:
    """How the same forecast would have done: the mean error over weeks, relative, and the part of days inside the band."""

    error: float
    inside_band: float
    forecasts: int


@dataclass(frozen=True, slots=True)
class Projection:
    """Each of the next days: estimate, and the band that holds 80 % of days. `backtest` is None on a short history."""

    first: date
    estimate: Days
    low: Days
    high: Days
    per_day: float
    backtest: Backtest | None

    def week_before(self, days: int) -> tuple[float, float, float]:
        """Low, estimate and high as means of the seven days that end `days` from the last known one."""
        week = slice(max(days - WEEK, 0), days)
        return float(self.low[week].mean()), float(self.estimate[week].mean()), float(self.high[week].mean())

    def reaches(self, limit: float, values: Days) -> date | None:
        """The first day on which `values` (estimate, low or high) are at the limit or above."""
        above = np.flatnonzero(values >= limit)
        return self.first + timedelta(days=int(above[0])) if len(above) else None


def history_of(rows: Iterable[tuple[date, float | None]]) -> History | None:
    """Days in any order, gaps allowed; None without a known one."""
    known = {day: value for day, value in rows if value is not None}
    if not known:
        return None
    first = max(min(known), max(known) - timedelta(days=_MOST_DAYS - 1))
    length = (max(known) - first).days + 1
    days = [first + timedelta(days=number) for number in range(length)]
    return History(first, np.array([known.get(day, np.nan) for day in days], dtype=np.float64))


def forecast(history: History | None, *, weekly: bool, days: int = HORIZON_DAYS) -> Projection | TooLittle:
    """What the next days will be. `weekly`: arrivals and the like; otherwise a straight line, for what is a level."""
    values = history.values if history else np.array([])
    known = history.known if history else 0
    if history is None or known < LEAST_DAYS or (weekly and _never_seen_in_its_week(values)):
        return TooLittle(known)
    trend = fit(values, weekly=weekly)
    factor, backtest = _tried_on_the_past(values, weekly=weekly, days=days)
    ahead = len(values) + np.arange(days, dtype=np.float64)
    estimate, half = trend.at(ahead), trend.half_width(ahead) * factor
    low = estimate - half if trend.may_be_negative else np.maximum(estimate - half, 0.0)
    return Projection(history.last + timedelta(days=1), estimate, low, estimate + half, trend.slope, backtest)


def _never_seen_in_its_week(values: Days) -> bool:
    known = ~np.isnan(values)
    return any(not known[weekday::WEEK].any() for weekday in range(WEEK))


def _tried_on_the_past(values: Days, *, weekly: bool, days: int) -> tuple[float, Backtest | None]:
    """How much wider the band must be to hold what came, never narrower than the trend says; and how the forecast did."""
    origins = np.unique(np.linspace(_TRAINED_ON, len(values) - WEEK, _ORIGINS).astype(int))
    trials = [_trial(values, int(at), weekly=weekly, days=days) for at in origins if at >= _TRAINED_ON]
    known = [trial for trial in trials if trial is not None]
    if not known:
        return _UNTRIED, None
    ratios = np.concatenate([ratio for ratio, _ in known])
    factor = max(1.0, float(np.quantile(ratios, _HELD)))
    error = float(np.mean([error for _, error in known]))
    return factor, Backtest(error, float((ratios <= factor).mean()), len(known))


def _trial(values: Days, at: int, *, weekly: bool, days: int) -> tuple[Days, float] | None:
    """Forecast from the first `at` days: each later day's distance in half bands, and the relative error over weeks."""
    past, later = values[:at], values[at : at + days]
    if (~np.isnan(past)).sum() < LEAST_DAYS or np.isnan(later).all():
        return None
    trend = fit(past, weekly=weekly)
    ahead = at + np.arange(len(later), dtype=np.float64)
    known = ~np.isnan(later)
    off = np.abs(later - trend.at(ahead))[known]
    half = np.maximum(trend.half_width(ahead)[known], _smallest(trend))
    return off / half, relative_error(trend.at(ahead), later)


def _smallest(trend: Trend) -> float:
    """A band of no width (a constant history) would make every ratio infinite."""
    return max(abs(trend.level) * 1e-6, 1e-9)


def relative_error(estimate: Days, actual: Days) -> float:
    """The error of whole weeks, summed, relative to what came; days that are not known count on neither side."""
    known = ~np.isnan(actual)
    weeks = np.arange(len(actual))[known] // WEEK
    off = np.bincount(weeks, estimate[known] - actual[known])
    came = float(np.abs(actual[known]).sum())
    return float(np.abs(off).sum()) / came if came else 0.0
