"""The gauges of the latest forecast: what is expected, what there is, when it runs out. Absent where there is no forecast.

Not here: making one (forecasting), the other gauges of a scrape (scraped_gauges).
"""

from collections.abc import Sequence

from embedding_assets.store import forecasts
from embedding_assets.store.database import Tx
from embedding_assets.store.metric_readings import KnownCollection
from embedding_assets.telemetry import gauges
from embedding_assets.telemetry.exposition import Labels, Snapshot

_ARRIVALS = "arrivals"
_CONSTRAINTS = ("rate_limit", "workers", "storage")


async def read_forecast(tx: Tx, known: Sequence[KnownCollection], into: Snapshot) -> None:
    """Of the last forecast that is younger than a week."""
    del known
    expected: dict[Labels, float] = {}
    capacity: dict[Labels, float] = {}
    exhausted: dict[Labels, float] = {}
    for row in await forecasts.latest(tx):
        if row.resource == _ARRIVALS and row.low is not None and row.estimate is not None and row.high is not None:
            for name, value in (("low", row.low), ("estimate", row.estimate), ("high", row.high)):
                expected[f"{row.days}d", name] = value
        if row.resource in _CONSTRAINTS and row.capacity is not None:
            capacity[row.resource,] = row.capacity
        if row.exhausted_at is not None:
            exhausted[row.resource,] = row.exhausted_at.timestamp()
    into.gauges[gauges.FORECAST.name] = expected
    into.gauges[gauges.CAPACITY.name] = capacity
    into.gauges[gauges.FORECAST_EXHAUSTION.name] = exhausted
