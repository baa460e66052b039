"""Gauges, read at a scrape: each by one bounded query, whatever the queue holds. Reads only.

Not here: what is kept in the ledger (ledger), what the numbers are called (telemetry), limits and budgets (rate_limiter).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("metric_readings")

# What grows without bound in a disaster is counted no further: a gauge that stands there says enough.
COUNTED_AT_MOST = 100_000
_ARRIVALS_LOOKED_AT = 50_000


@dataclass(frozen=True, slots=True)
class KnownCollection:
    """A collection as labels need it; `last_poll_at` in seconds since 1970."""

    id: int
    name: str
    model: str
    building_model: str | None
    limit: str | None
    last_poll_at: float | None
    paused: bool


@dataclass(frozen=True, slots=True)
class Arrived:
    """Arrivals of one collection and lane that nobody folded, and the age of the oldest that was looked at."""

    collection: str
    lane: str
    documents: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class FailedAges:
    """Failed documents of one status and so many attempts (5: or more), in one bucket of ages."""

    status: str
    attempts: int
    bucket: int
    documents: int
    seconds: float


async def known(tx: Tx) -> list[KnownCollection]:
    """Every collection, by name."""
    return [KnownCollection(*row) for row in await (await tx.execute(_SQL["known"])).fetchall()]


async def counted(tx: Tx) -> list[tuple[str, str, str | None, int]]:
    """(collection, `queued` or `tracked`, lane, documents), from the deltas."""
    return await (await tx.execute(_SQL["counted"])).fetchall()


async def leased(tx: Tx) -> list[tuple[str, str, int, int]]:
    """(collection, lane, leased, expired): claims that stand, and those whose lease ended."""
    return await (await tx.execute(_SQL["leased"], {"up_to": COUNTED_AT_MOST})).fetchall()


async def arrived(tx: Tx) -> list[Arrived]:
    """What nobody folded yet; reckoned by ids where there is very much of it."""
    rows = await (await tx.execute(_SQL["arrived"], {"up_to": _ARRIVALS_LOOKED_AT})).fetchall()
    looked_at: dict[str, int] = {}
    for collection, _, documents, *_ in rows:
        looked_at[collection] = looked_at.get(collection, 0) + documents
    return [
        Arrived(collection, lane, _reckoned(documents, looked_at[collection], reach), age)
        for collection, lane, documents, age, reach in rows
    ]


def _reckoned(documents: int, looked_at: int, reach: int) -> int:
    if looked_at < _ARRIVALS_LOOKED_AT:
        return documents
    return round(documents * max(1.0, reach / looked_at))


async def oldest(tx: Tx) -> list[tuple[str, str, float]]:
    """(collection, lane, seconds): age of the oldest work item."""
    return await (await tx.execute(_SQL["oldest"])).fetchall()


async def overdue(tx: Tx) -> list[tuple[str, int]]:
    """(collection, changes) past their deadline and not published."""
    return await (await tx.execute(_SQL["overdue"], {"up_to": COUNTED_AT_MOST})).fetchall()


async def failed(tx: Tx, bounds: Sequence[float]) -> list[FailedAges]:
    """Failed documents that are neither published nor dismissed, by status, attempts and age."""
    rows = await (await tx.execute(_SQL["failed"], {"bounds": list(bounds)})).fetchall()
    return [FailedAges(*row) for row in rows]


async def circuits(tx: Tx) -> list[tuple[str, str]]:
    """(provider, reason) of every open circuit."""
    return await (await tx.execute(_SQL["circuits"])).fetchall()


async def consumers(tx: Tx) -> set[tuple[str, str]]:
    """(limit, consumer) by which our collections draw on limits."""
    return {(limit, consumer) for limit, consumer in await (await tx.execute(_SQL["consumers"])).fetchall()}


async def tables(tx: Tx) -> list[tuple[str, int]]:
    """(table, bytes) of our schema."""
    return await (await tx.execute(_SQL["tables"])).fetchall()


async def indexes(tx: Tx) -> list[tuple[str, int]]:
    """(index, bytes) of vector indexes."""
    return await (await tx.execute(_SQL["indexes"])).fetchall()


async def vectors(tx: Tx) -> list[tuple[str, int]]:
    """(model, vectors), by PostgreSQL's statistics."""
    return await (await tx.execute(_SQL["vectors"])).fetchall()


async def connections(tx: Tx) -> list[tuple[str, str, int]]:
    """(application, state, connections) of the server."""
    return await (await tx.execute(_SQL["connections"])).fetchall()


async def max_connections(tx: Tx) -> int:
    """Connections that the server takes at most."""
    row = await (await tx.execute(_SQL["max_connections"])).fetchone()
    return row[0] if row else 0
