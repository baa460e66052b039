"""Counts on their way into the ledger: added up by series, and put together with others. Not here: which series there are."""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TypeAlias

# A metric's name and the values of its labels, in the order in which the catalogue names them.
Series: TypeAlias = tuple[str, tuple[str, ...]]


class BucketsDiffer(ValueError):
    """Two histograms of one name were counted by different bounds: nothing can be said of both together."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} was counted by other bucket bounds before: a release that changes them comes with a migration; "
            "stop workers of the older release, and run `embedding-assets migrate`"
        )


@dataclass(slots=True)
class Buckets:
    """What was observed, by upper `bounds`; `counts` are not cumulative, the last is everything above the last bound."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0


@dataclass(slots=True)
class Counts:
    """Counters and histograms by series; `latest` are gauges, of which the larger value counts."""

    counters: dict[Series, float] = field(default_factory=dict[Series, float])
    histograms: dict[Series, Buckets] = field(default_factory=dict[Series, Buckets])
    latest: dict[Series, float] = field(default_factory=dict[Series, float])

    def __bool__(self) -> bool:
        return bool(self.counters or self.histograms or self.latest)

    def add(self, series: Series, by: float) -> None:
        """Add to a counter; nothing is no entry."""
        if by:
            self.counters[series] = self.counters.get(series, 0.0) + by

    def observe(self, series: Series, bounds: tuple[float, ...], value: float) -> None:
        """One observation; a bound belongs to the bucket below it, as Prometheus has it."""
        value = max(value, 0.0)
        buckets = self.histograms.setdefault(series, Buckets(bounds, [0] * (len(bounds) + 1)))
        buckets.counts[bisect_left(bounds, value)] += 1
        buckets.total += value

    def merge(self, other: "Counts") -> None:
        """Add what the other holds.

        Raises:
            BucketsDiffer: of one series, by other bounds.
        """
        for series, by in other.counters.items():
            self.add(series, by)
        for series, theirs in other.histograms.items():
            ours = self.histograms.setdefault(series, Buckets(theirs.bounds, [0] * len(theirs.counts)))
            if ours.bounds != theirs.bounds:
                raise BucketsDiffer(series[0])
            ours.counts = [a + b for a, b in zip(ours.counts, theirs.counts, strict=True)]
            ours.total += theirs.total
        for series, value in other.latest.items():
            self.latest[series] = max(value, self.latest.get(series, value))


def merged(*parts: Counts) -> Counts:
    """The sum of all, as an object of its own."""
    whole = Counts()
    for part in parts:
        whole.merge(part)
    return whole
