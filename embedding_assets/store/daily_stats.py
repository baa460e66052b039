"""What every counter and size stood at, day by day. Not here: what came in between (domain/daily)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from embedding_assets.domain.daily import Standing
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("daily_stats")


@dataclass(frozen=True, slots=True)
class ServerBounds:
    """What the database server has: bytes of cache, as its operator set them, and connections."""

    cache_bytes: float
    connections: float


async def write(tx: Tx, *, now: datetime | None = None) -> None:
    """Write today's standings, anew when they were written today already."""
    await tx.execute(_SQL["write"], {"now": now})


async def standings(tx: Tx, names: Sequence[str]) -> dict[tuple[str, tuple[str, ...]], list[Standing]]:
    """Standings by name and labels, each oldest first."""
    rows: list[tuple[str, list[str], date, datetime, float]]
    rows = await (await tx.execute(_SQL["standings"], {"names": list(names)})).fetchall()
    found: dict[tuple[str, tuple[str, ...]], list[Standing]] = {}
    for name, labels, day, written_at, value in rows:
        found.setdefault((name, tuple(labels)), []).append(Standing(day, written_at, value))
    return found


async def bounds(tx: Tx) -> ServerBounds:
    """What the server has."""
    row = await (await tx.execute(_SQL["bounds"])).fetchone()
    assert row is not None
    return ServerBounds(*row)
