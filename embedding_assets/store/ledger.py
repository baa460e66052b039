"""The durable ledger behind the metrics: counters that are added to in the transaction that makes them true."""

from collections.abc import Mapping

from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("ledger")


async def add(tx: Tx, name: str, values: Mapping[tuple[str, ...], float], *, shard: int | None = None) -> None:
    """Add to a counter, by the values of its labels; what is 0 is left out. To be a transaction's last statement.

    `shard` spreads a counter that many add to at once over rows; None: by connection.
    """
    rows: list[dict[str, object]] = [
        {"name": name, "labels": list(labels), "value": value, "shard": shard}
        for labels, value in sorted(values.items())
        if value
    ]
    if rows:
        async with tx.cursor() as cursor:
            await cursor.executemany(_SQL["add"], rows)


async def totals(tx: Tx, name: str) -> dict[tuple[str, ...], float]:
    """What a counter stands at, by the values of its labels."""
    rows = await (await tx.execute(_SQL["totals"], {"name": name})).fetchall()
    return {tuple(labels): value for labels, value in rows}
