"""When what there is runs out: arrivals against limit, workers and storage; sizes and cost against what there is of them.

A capacity that nobody has told or measured is None, and then nothing runs out. Not here: the forecast itself (forecast), what a
limit lets through (throughput), where numbers come from (pipeline/forecasting).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np

from embedding_assets.domain.daily import Daily, Record, together
from embedding_assets.domain.forecast import HORIZON_DAYS, History, Projection, TooLittle, forecast, history_of
from embedding_assets.domain.throughput import Ceiling, CollectionFacts, by_limit, by_storage, by_workers
from embedding_assets.domain.trends import WEEK, Days

HORIZONS = (7, 30, HORIZON_DAYS)
_HOURS, _MONTH = 24, 30


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a forecast is made of. `month_usd` is None where not every collection has a monthly budget."""

    record: Record
    collections: Sequence[CollectionFacts]
    ceilings: Sequence[Ceiling]
    disk_bytes: float | None
    cache_bytes: float
    connections: float
    month_usd: float | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """One resource: what is used of it, what there is, in `unit`, and when the first reaches the second.

    `ahead` is low, estimate and high by horizon; `earliest` is by the band's upper edge. `missing` says what nobody has told
    or measured.
    """

    resource: str
    unit: str
    used: float | None
    capacity: float | None
    ahead: Mapping[int, tuple[float, float, float]] = field(default_factory=dict[int, tuple[float, float, float]])
    runs_out: date | None = None
    earliest: date | None = None
    missing: str = ""


@dataclass(frozen=True, slots=True)
class CapacityReport:
    """Arrivals of all collections together and of each, per day, and an outlook for each resource."""

    made_at: datetime
    history: History | None
    arrivals: Projection | TooLittle
    by_collection: Mapping[str, Projection | TooLittle]
    outlooks: Sequence[Outlook]

    def capacity_of(self, resource: str) -> float | None:
        """What there is of one resource."""
        return next(one.capacity for one in self.outlooks if one.resource == resource)


@dataclass(frozen=True, slots=True)
class _Resource:
    """A name and unit; what there is, why not where it is unknown; what a day's number is to be divided by to be in that unit."""

    name: str
    unit: str
    capacity: float | None
    unknown: str
    per_day: float = 1.0
    smoothed: bool = False


def assess(facts: Facts, made_at: datetime) -> CapacityReport:
    """Forecast arrivals, sizes and cost, and hold them against what there is."""
    arriving = {one.name: arrivals_of(facts.record, one.name) for one in facts.collections}
    history = history_of(_total(arriving.values()).items())
    arrivals = forecast(history, weekly=True)
    return CapacityReport(
        made_at,
        history,
        arrivals,
        {name: forecast(history_of(days.items()), weekly=True) for name, days in arriving.items()},
        [_outlook(resource, history, arrivals) for resource in _throughputs(facts)]
        + [_of_record(resource, days, weekly=resource.smoothed) for resource, days in _sizes(facts)],
    )


def arrivals_of(record: Record, collection: str) -> Daily:
    """Live documents to process, each day: changes that ended, and what the live queue grew by.

    A document that changed five times before it was processed is one; initial loads and re-embedding are none.
    """
    ended, grew = record.came("embedding_changes_total", collection), record.grew("live_queue", collection)
    return {day: max(value, 0.0) for day, value in together(ended, grew).items()}


def _throughputs(facts: Facts) -> list[_Resource]:
    record, collections = facts.record, facts.collections
    limit = by_limit(record, collections, facts.ceilings)
    no_limit = "nothing was published under a limit yet" if facts.ceilings else "no collection has a limit"
    nothing = "nothing was published yet"
    return [
        _Resource("rate_limit", "documents/hour", limit, no_limit, _HOURS),
        _Resource("workers", "documents/hour", by_workers(record, collections), nothing, _HOURS),
        _Resource("storage", "documents/hour", by_storage(record, collections), nothing, _HOURS),
    ]


def _sizes(facts: Facts) -> list[tuple[_Resource, Daily]]:
    record = facts.record
    untold = "how much of its disk the database may fill was not told (the setting database_disk_gigabytes)"
    no_budget = "not every collection has max_usd_per_month"
    return [
        (_Resource("disk", "bytes", facts.disk_bytes, untold), record.levels("database_bytes")),
        (_Resource("index_memory", "bytes", facts.cache_bytes, ""), record.levels("index_bytes")),
        (_Resource("connections", "connections", facts.connections, ""), record.levels("connections")),
        (
            _Resource("monthly_cost", "USD/month", facts.month_usd, no_budget, 1 / _MONTH, smoothed=True),
            record.came("embedding_cost_usd_total"),
        ),
    ]


def _of_record(resource: _Resource, days: Daily, *, weekly: bool) -> Outlook:
    history = history_of(days.items())
    return _outlook(resource, history, forecast(history, weekly=weekly))


def _outlook(resource: _Resource, history: History | None, made: Projection | TooLittle) -> Outlook:
    used = _used_lately(history, smoothed=resource.unit != "bytes")
    used = None if used is None else used / resource.per_day
    if isinstance(made, TooLittle):
        reasons = [made.sentence, "" if resource.capacity is not None else resource.unknown]
        return Outlook(resource.name, resource.unit, used, resource.capacity, missing="; ".join(filter(None, reasons)))
    ahead = {days: _scaled(made.week_before(days), resource.per_day) for days in HORIZONS}
    if resource.capacity is None:
        return Outlook(resource.name, resource.unit, used, None, ahead, missing=resource.unknown)
    limit = resource.capacity * resource.per_day
    high, estimate = (_smooth(one) if resource.smoothed else one for one in (made.high, made.estimate))
    runs_out, earliest = made.reaches(limit, estimate), made.reaches(limit, high)
    return Outlook(resource.name, resource.unit, used, resource.capacity, ahead, runs_out, earliest)


def _used_lately(history: History | None, *, smoothed: bool) -> float | None:
    """The last known day, or the mean of the last week's known ones."""
    if history is None:
        return None
    known = history.values[~np.isnan(history.values)]
    return float(known[-WEEK:].mean() if smoothed else known[-1])


def _scaled(values: tuple[float, float, float], per_day: float) -> tuple[float, float, float]:
    low, estimate, high = values
    return low / per_day, estimate / per_day, high / per_day


def _smooth(values: Days) -> Days:
    """The mean of each day and the six before: a month's budget does not run out on one dear weekday."""
    padded = np.concatenate([np.full(WEEK - 1, values[:WEEK].mean()), values])
    return np.convolve(padded, np.ones(WEEK) / WEEK, mode="valid")


def _total(parts: Iterable[Daily]) -> Daily:
    total: dict[date, float] = {}
    for part in parts:
        for day, value in part.items():
            total[day] = total.get(day, 0.0) + value
    return total
