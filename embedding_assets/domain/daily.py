"""What came each day, of what counters stood at: differences to the day before, also over days on which nobody wrote.

Not here: where standings come from (store/daily_stats), what is made of the days (forecast, capacity).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

_DAY = timedelta(days=1)
# A row written in the middle of its day is not yet a day; at its end the row is written again.
_LEAST_OF_A_DAY = 0.75
LATELY = timedelta(days=28)

Daily = Mapping[date, float]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a counter or a size stood at; `written_at` says how much of its day it knows."""

    day: date
    written_at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Record:
    """Standings by name and label values, each oldest first. Label values are asked for by their first ones."""

    standings: Mapping[tuple[str, tuple[str, ...]], Sequence[Standing]]

    def came(self, name: str, *labels: str) -> Daily:
        """What a counter rose by, each day."""
        return _summed(increments(rows) for rows in self._of(name, labels))

    def grew(self, name: str, *labels: str) -> Daily:
        """What a size changed by, each day; it may have shrunk."""
        return _summed(increments(rows, may_fall=True) for rows in self._of(name, labels))

    def levels(self, name: str, *labels: str) -> Daily:
        """What a size was, each day it was looked at."""
        return _summed({row.day: row.value for row in rows} for rows in self._of(name, labels))

    def lately(self, name: str, *labels: str) -> float:
        """What a counter rose by in the last four weeks, or since it exists."""
        return sum(_lately(rows) for rows in self._of(name, labels))

    def _of(self, name: str, labels: tuple[str, ...]) -> list[Sequence[Standing]]:
        return [
            rows for (one, values), rows in self.standings.items() if one == name and values[: len(labels)] == labels
        ]


def increments(standings: Sequence[Standing], *, may_fall: bool = False) -> Daily:
    """What came on each day. The first day has nothing to be compared with, and is left out.

    Over days without a row what came is spread evenly. A counter that fell (an older backup was restored) tells nothing of
    that time. A row that is less than a day after the one before is no day.
    """
    came: dict[date, float] = {}
    for before, after in pairwise(standings):
        elapsed = (after.written_at - before.written_at) / _DAY
        if elapsed < _LEAST_OF_A_DAY or (after.value < before.value and not may_fall):
            continue
        for number in range((after.day - before.day).days):
            came[after.day - number * _DAY] = (after.value - before.value) / elapsed
    return came


def together(*parts: Daily) -> Daily:
    """The sum on each day that all of them know."""
    days = set(parts[0]).intersection(*parts[1:]) if parts else set[date]()
    return {day: sum(part[day] for part in parts) for day in sorted(days)}


def _lately(rows: Sequence[Standing]) -> float:
    last = rows[-1]
    before = [row.value for row in rows if row.day <= last.day - LATELY]
    base = before[-1] if before else 0.0
    return last.value - base if last.value >= base else last.value


def _summed(parts: Iterator[Daily]) -> Daily:
    """By day; a part that does not know a day counts as 0 there, for it may be younger."""
    total: dict[date, float] = {}
    for part in parts:
        for day, value in part.items():
            total[day] = total.get(day, 0.0) + value
    return dict(sorted(total.items()))
