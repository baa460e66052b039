"""One history, as promtool plays it, and the alerts that fire at a moment of it.

Not here: playing it (promtool).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

UP = "embedding_exporter_database_up"


@dataclass(frozen=True, slots=True)
class Case:
    """`story` tells it. `fires` are all alerts that fire at `at`: names, for burns with severity and long window.

    `series` has promtool's notation of values, one each `every`. `about` is the alert that a silent case is a near miss of.
    """

    about: str
    story: str
    at: str
    series: Mapping[str, str]
    fires: tuple[str, ...] = ()
    every: str = "1m"
    up: str = "1x20000"
    more: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def all_series(self) -> dict[str, str]:
        """With an exporter that is there."""
        return {UP: self.up, **self.series, **self.more}


def fires(alert: str, story: str, at: str, series: Mapping[str, str], *, every: str = "1m") -> Case:
    """A history on which this alert fires, and no other."""
    return Case(alert, story, at, series, (alert,), every)


def silent(alert: str, story: str, at: str, series: Mapping[str, str], *, every: str = "1m") -> Case:
    """A near miss: nothing fires at all."""
    return Case(alert, story, at, series, (), every)


def last_seen(minutes: int, *, step: int, stops_at: int | None = None, every: int = 1) -> str:
    """Values, one in so many minutes, of a timestamp that moves each `step` minutes until `stops_at`. Time begins at 0."""
    ends = minutes if stops_at is None else stops_at
    return " ".join(str(min(minute, ends) // step * step * 60) for minute in range(0, minutes + 1, every))
