"""Promises that are not kept: missed at their deadline, or ended by a person. What opens and closes them is work_queue's."""

from collections.abc import Sequence
from datetime import datetime

from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("promises")


async def left_unfolded(tx: Tx, *, seconds: float, now: datetime | None = None) -> list[tuple[int, str]]:
    """Collections, by id and name, whose oldest arrival was left for so long."""
    cursor = await tx.execute(_SQL["left_unfolded"], {"seconds": seconds, "now": now})
    return [(collection_id, name) for collection_id, name in await cursor.fetchall()]


async def take_missed(tx: Tx, *, promises: int = 10_000, now: datetime | None = None) -> dict[str, int]:
    """Mark up to `promises` open promises past their deadline as counted; how many, by collection. Each is taken once."""
    values = {"promises": promises, "now": now}
    return dict(await (await tx.execute(_SQL["take_missed"], values)).fetchall())


async def give_up(tx: Tx, collection_id: int, document_keys: Sequence[str]) -> int:
    """End the promises of documents that will not be published; how many of them were not counted as missed before."""
    values = {"collection_id": collection_id, "document_keys": list(document_keys)}
    row = await (await tx.execute(_SQL["give_up"], values)).fetchone()
    return row[0] if row else 0
