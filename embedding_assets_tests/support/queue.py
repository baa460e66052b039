"""The queue as tests fill and read it: arrivals, claims, rows. Times are given, so that facts can be exact."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from psycopg.rows import dict_row
from typing_extensions import LiteralString

from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.work import ClaimedItem, Lane
from embedding_assets.store import promises, work_queue
from embedding_assets.store.database import Tx
from embedding_assets.store.work_queue import Pick
from embedding_assets_tests.support.collections import MadeCollection

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
ALL_SHARDS = range(SHARDS)


def at(minutes: float) -> datetime:
    """Noon and this many minutes."""
    return NOON + timedelta(minutes=minutes)


async def arrive(
    tx: Tx,
    collection: MadeCollection,
    *document_keys: str,
    lane: Lane = Lane.LIVE,
    enqueued_at: datetime = NOON,
    changed_at: datetime | None = None,
    not_before: datetime | None = None,
) -> None:
    """Append arrivals as a producer does, at a time of the test's choice."""
    async with tx.cursor() as cursor:
        await cursor.executemany(
            """
            INSERT INTO embedding_assets.work_arrivals
                (collection_id, document_key, changed_at, not_before, lane, enqueued_at)
            VALUES (%s, %s, %s, %s, %s, %s)
            """,
            [(collection.id, key, changed_at, not_before, lane.value, enqueued_at) for key in document_keys],
        )


async def change(tx: Tx, collection: MadeCollection, *document_keys: str, when: datetime) -> None:
    """Live changes that happen, arrive and are folded at this time."""
    await arrive(tx, collection, *document_keys, enqueued_at=when, changed_at=when)
    await work_queue.fold(tx, collection.id, now=when)


async def put(tx: Tx, collection: MadeCollection, *document_keys: str, lane: Lane = Lane.LIVE) -> None:
    """Work items available from noon on, nobody's promise."""
    await arrive(tx, collection, *document_keys, lane=lane)
    await work_queue.fold(tx, collection.id, now=NOON)


async def claim(
    tx: Tx,
    collection: MadeCollection,
    *,
    now: datetime = NOON,
    lane: Lane = Lane.LIVE,
    shards: Sequence[int] = ALL_SHARDS,
    items: int = 100,
    owner: str = "worker",
    lease_seconds: float = 60,
    suspects: bool = False,
) -> list[ClaimedItem]:
    """Claim at this time; items in the order of their keys."""
    claimed = await work_queue.claim(
        tx,
        collection.id,
        shards,
        lane=lane,
        items=items,
        owner=owner,
        lease_seconds=lease_seconds,
        pick=Pick(suspects=suspects),
        now=now,
    )
    return sorted(claimed, key=lambda item: item.document_key)


async def settle(tx: Tx, collection: MadeCollection, items: Sequence[ClaimedItem], *, now: datetime = NOON) -> set[str]:
    """Close and finish what is still ours, as a settle does; the keys that were."""
    ours = await work_queue.lock_claims(tx, collection.id, items)
    held = [item for item in items if item.document_key in ours]
    await promises.close_obligations(tx, collection.id, held, now=now)
    await work_queue.finish(tx, collection.id, sorted(ours), now=now)
    return ours


async def items(tx: Tx, collection: MadeCollection) -> dict[str, dict[str, Any]]:
    """The collection's work items by key."""
    return await _by_key(tx, "SELECT * FROM embedding_assets.work_items WHERE collection_id = %s", collection)


async def obligations(tx: Tx, collection: MadeCollection) -> dict[str, dict[str, Any]]:
    """The collection's open promises by key."""
    return await _by_key(tx, "SELECT * FROM embedding_assets.obligations WHERE collection_id = %s", collection)


def keys(claimed: Sequence[ClaimedItem]) -> list[str]:
    """Their document keys."""
    return [item.document_key for item in claimed]


async def _by_key(tx: Tx, query: LiteralString, collection: MadeCollection) -> dict[str, dict[str, Any]]:
    async with tx.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, [collection.id])
        return {row["document_key"]: row for row in await cursor.fetchall()}
