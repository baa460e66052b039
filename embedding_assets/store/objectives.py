"""How objectives stood at each hour, kept for as long as their window and a little longer. What they are is domain/slo's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("objectives")


@dataclass(frozen=True, slots=True)
class Stock:
    """Events of one objective and collection since the ledger began, as of `taken_at`."""

    objective: str
    collection: str
    taken_at: datetime
    total: float
    bad: float


async def is_taken(tx: Tx, *, now: datetime | None = None) -> bool:
    """Whether this hour has its stock."""
    row = await (await tx.execute(_SQL["is_taken"], {"now": now})).fetchone()
    return bool(row and row[0])


async def take(
    tx: Tx, stock: Sequence[tuple[str, str, float, float]], *, keep_days: int, now: datetime | None = None
) -> None:
    """Keep (objective, collection, total, bad) for this hour, unless it has them; forget what is older than so many days."""
    objectives, collections, totals, bads = (
        (list(column) for column in zip(*stock, strict=True)) if stock else ([],) * 4
    )
    values = {"objectives": objectives, "collections": collections, "totals": totals, "bads": bads, "now": now}
    await tx.execute(_SQL["take"], values)
    await tx.execute(_SQL["forget"], {"days": keep_days, "now": now})


async def history(tx: Tx, since: datetime) -> list[Stock]:
    """Every stock since then, and the last one before it where there is one; by objective, collection and time."""
    return [Stock(*row) for row in await (await tx.execute(_SQL["history"], {"since": since})).fetchall()]
