"""Where daily numbers are heading: a weekly pattern, a Theil-Sen slope, and how far single days lie from both.

Not here: how wide the band must be to hold what it promises (forecast), what the numbers are compared with (capacity).
"""

from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

Days: TypeAlias = "NDArray[np.float64]"

WEEK = 7
# The slope is of everything known, which no burst and no holiday turns; the level is of the last weeks, so that a step in
# the past is a step and not a slope. `make bench-forecast` has the errors with this and without.
_LEVEL_DAYS = 28
# A weekday that is nearly always empty says nothing of the level, and dividing by it would make noise large.
_QUIET_WEEKDAY = 0.05
_BAND = 0.8
# Of the standard normal distribution: the band between them holds 80 %.
_NORMAL_DEVIATIONS = 1.2816
# The median absolute deviation of a normal distribution in its standard deviations.
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Trend:
    """A line and what repeats every week around it. Days are counted from the history's first one.

    `spread` is the half width of the band around single days, `slope_error` that of the slope; both of 80 %.
    """

    level: float
    slope: float
    week: Days
    level_day: float
    slope_error: float
    spread: float
    may_be_negative: bool

    def at(self, days: Days) -> Days:
        """What is expected on these days."""
        line = self.level + self.slope * (days - self.level_day)
        return self._bounded(line) * self.week[days.astype(np.int64) % WEEK]

    def half_width(self, days: Days) -> Days:
        """Half the band on these days: what single days scatter, and what the slope may be wrong by."""
        uncertain = np.hypot(self.spread, self.slope_error * np.abs(days - self.level_day))
        return uncertain * self.week[days.astype(np.int64) % WEEK]

    def _bounded(self, line: Days) -> Days:
        return line if self.may_be_negative else np.maximum(line, 0.0)


def fit(values: Days, *, weekly: bool) -> Trend:
    """The trend of daily values; unknown days are NaN. `weekly` values have a weekly pattern and are never negative."""
    # A second of imports, which Dagster's code server, that forecasts nothing itself, need not pay.
    from scipy.stats import theilslopes  # noqa: PLC0415

    days = np.arange(len(values), dtype=np.float64)
    week = weekly_index(values) if weekly else np.ones(WEEK)
    pattern = week[days.astype(np.int64) % WEEK]
    used = ~np.isnan(values) & (pattern > _QUIET_WEEKDAY)
    level, day = values[used] / pattern[used], days[used]
    slope, _, low, high = cast("tuple[float, float, float, float]", theilslopes(level, day, _BAND))
    lately = day >= day[-1] - _LEVEL_DAYS + 1
    level_day = float(np.median(day[lately]))
    height = float(np.median(level[lately] - slope * (day[lately] - level_day)))
    residuals = level - (height + slope * (day - level_day))
    return Trend(
        level=height,
        slope=float(slope),
        week=week,
        level_day=level_day,
        slope_error=float(high - low) / 2,
        spread=_spread(residuals[lately]),
        may_be_negative=not weekly,
    )


def weekly_index(values: Days) -> Days:
    """What each weekday is of the week's mean, by position from the first day; the median over weeks, so holidays do not count."""
    index = np.ones(WEEK)
    ratio = values / _around(values)
    for weekday in range(WEEK):
        known = ratio[weekday::WEEK]
        known = known[~np.isnan(known)]
        index[weekday] = np.median(known) if len(known) else 1.0
    mean = float(index.mean())
    return index / mean if mean > 0 else np.ones(WEEK)


def _around(values: Days) -> Days:
    """The mean of the week around each day; NaN where fewer than five of its days are known, or all are 0."""
    known = ~np.isnan(values)
    window = np.ones(WEEK)
    total = np.convolve(np.where(known, values, 0.0), window, mode="same")
    count = np.convolve(known.astype(np.float64), window, mode="same")
    mean = np.divide(total, count, out=np.full(len(values), np.nan), where=count >= WEEK - 2)
    return np.where(mean > 0, mean, np.nan)


def _spread(residuals: Days) -> float:
    """By the median absolute deviation: one burst does not widen the band."""
    return _NORMAL_DEVIATIONS * _MAD_TO_SIGMA * float(np.median(np.abs(residuals - np.median(residuals))))
