"""How promises end: kept or late at a settle, missed at their deadline, given up by a person. What opens them is work_queue's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from embedding_assets.domain.work import ClaimedItem
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("promises")


@dataclass(frozen=True, slots=True)
class ClosedObligation:
    """A promise that publication ended. `lag_seconds` is publication minus change; `counted` was missed and said so before.

    `charged`: an attempt of the change was.
    """

    document_key: str
    counted: bool
    charged: bool
    lag_seconds: float
    in_time: bool
    later_from: datetime | None
    later_generation: int | None


async def close_obligations(
    tx: Tx, collection_id: int, items: Sequence[ClaimedItem], *, now: datetime | None = None
) -> list[ClosedObligation]:
    """End the promises these claims cover, and start anew those with a change the claim did not see."""
    values = {
        "collection_id": collection_id,
        "document_keys": [item.document_key for item in items],
        "generations": [item.generation for item in items],
        "now": now,
    }
    cursor = await tx.execute(_SQL["close_obligations"], values)
    closed = [ClosedObligation(*row) for row in await cursor.fetchall()]
    later = [row for row in closed if row.later_from is not None]
    if later:
        reopened = {
            "collection_id": collection_id,
            "document_keys": [row.document_key for row in later],
            "due_from": [row.later_from for row in later],
            "generations": [row.later_generation for row in later],
        }
        await tx.execute(_SQL["reopen_obligations"], reopened)
    return closed


async def charge_obligations(tx: Tx, collection_id: int, items: Sequence[ClaimedItem]) -> int:
    """An attempt of these claims was charged; how many changes that is the first one of."""
    values = {
        "collection_id": collection_id,
        "document_keys": [item.document_key for item in items],
        "generations": [item.generation for item in items],
    }
    return (await tx.execute(_SQL["charge_obligations"], values)).rowcount


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
