"""Three histories of daily arrivals, shaped unlike each other and unlike the model that forecasts them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.float64]
DAYS = 360


def step_with_bursts(random: np.random.Generator) -> Days:
    """A second product is documented from day 150 on: a step of 70 %; on every twentieth day 2 to 6 times as much comes."""
    days = np.arange(DAYS)
    level = np.where(days < 150, 2000.0, 3400.0) * np.array([1.1, 1.15, 1.1, 1.1, 1.0, 0.5, 0.4])[days % 7]
    values = level * random.lognormal(0, 0.12, DAYS)
    bursts = random.random(DAYS) < 0.05
    values[bursts] *= random.uniform(2, 6, int(bursts.sum()))
    return values


def saturating_with_gaps(random: np.random.Generator) -> Days:
    """Growth that ends (logistic), a weekly pattern that is added and does not grow, noise, one day of ten unknown."""
    days = np.arange(DAYS)
    level = 300 + 5000 / (1 + np.exp(-(days - 150) / 35)) + 300 * np.array([1, 1, 1, 1, 0.5, -2, -2.0])[days % 7]
    return np.maximum(level + random.normal(0, 250, DAYS), 0)


def weekly_with_holidays(random: np.random.Generator) -> Days:
    """Doubles in nine months, multiplied by a strong weekly pattern; four times in the year eight days are nearly empty."""
    days = np.arange(DAYS)
    week = np.array([1.3, 1.3, 1.25, 1.2, 1.0, 0.35, 0.3])[days % 7]
    values = 800 * 2.2 ** (days / 270) * week * random.lognormal(0, 0.1, DAYS)
    for first in (20, 110, 200, 290):
        values[first : first + 8] *= 0.12
    return values


HISTORIES: dict[str, Callable[[np.random.Generator], Days]] = {
    "step with bursts": step_with_bursts,
    "saturating, noise, gaps": saturating_with_gaps,
    "weekly x growth, holidays": weekly_with_holidays,
}


def with_gaps(name: str, values: Days, random: np.random.Generator) -> Days:
    """What was recorded of the history: the one with gaps lacks every tenth day."""
    if "gaps" not in name:
        return values
    recorded = values.copy()
    recorded[random.random(len(values)) < 0.1] = np.nan
    return recorded
