"""Forecasts as they were made, and the latest of them. Not here: how they are made (domain/capacity)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("forecasts")


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """One resource so many days ahead; the three numbers are None together where there is too little history."""

    resource: str
    days: int
    low: float | None
    estimate: float | None
    high: float | None
    capacity: float | None
    exhausted_on: date | None
    earliest_on: date | None


@dataclass(frozen=True, slots=True)
class KeptForecast:
    """The same as it was kept: when a resource runs out is a moment."""

    resource: str
    days: int
    low: float | None
    estimate: float | None
    high: float | None
    capacity: float | None
    exhausted_at: datetime | None
    earliest_at: datetime | None


async def write(tx: Tx, made_at: datetime, rows: Sequence[ForecastRow]) -> None:
    """Keep a forecast, and forget those that are older than 400 days."""
    await tx.execute(_SQL["forget"], {"made_at": made_at})
    async with tx.cursor() as cursor:
        await cursor.executemany(_SQL["write"], [_values(made_at, row) for row in rows])


async def latest(tx: Tx, *, now: datetime | None = None) -> list[KeptForecast]:
    """The last forecast, by resource and horizon; nothing when it is older than a week."""
    return [KeptForecast(*row) for row in await (await tx.execute(_SQL["latest"], {"now": now})).fetchall()]


def _values(made_at: datetime, row: ForecastRow) -> dict[str, object]:
    return {
        "made_at": made_at,
        "resource": row.resource,
        "days": row.days,
        "low": row.low,
        "estimate": row.estimate,
        "high": row.high,
        "capacity": row.capacity,
        "exhausted_on": row.exhausted_on,
        "earliest_on": row.earliest_on,
    }
