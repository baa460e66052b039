"""What the last complete poll of a source saw: compared with this one in one transaction, the difference enqueued.

Not here: listing the source (providers/sources), and whether many deletions are believed (pipeline/sync).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from embedding_assets.domain.documents import ListedDocument
from embedding_assets.domain.work import Lane
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("source_listings")


@dataclass(frozen=True, slots=True)
class LastPoll:
    """When the collection's changes began to be tracked, and its last complete poll; None before the first."""

    tracked_since: datetime | None
    last_poll_at: datetime | None


@dataclass(frozen=True, slots=True)
class ListingDifference:
    """Documents of this listing and of the one before, and how they differ."""

    listed: int
    known: int
    new: int
    changed: int
    missing: int


async def server_time(tx: Tx) -> datetime:
    """The database's clock, which every worker shares."""
    row = await (await tx.execute(_SQL["now"])).fetchone()
    assert row is not None
    return row[0]


async def lock(tx: Tx, collection_id: int) -> LastPoll:
    """One poll of a collection is compared at a time."""
    row = await (await tx.execute(_SQL["lock_collection"], {"collection_id": collection_id})).fetchone()
    return LastPoll(row[0], row[1]) if row else LastPoll(None, None)


async def compare(tx: Tx, collection_id: int, listing: Iterable[ListedDocument]) -> ListingDifference:
    """Load the listing into this transaction's own table and count how it differs from the last one."""
    await tx.execute(_SQL["create_listing"])
    async with tx.cursor() as cursor, cursor.copy(_SQL["copy_listing"]) as copy:
        for entry in listing:
            await copy.write_row((entry.document_key, entry.signature, entry.changed_at))
    await tx.execute(_SQL["analyze_listing"])
    row = await (await tx.execute(_SQL["difference"], {"collection_id": collection_id})).fetchone()
    return ListingDifference(*row) if row else ListingDifference(0, 0, 0, 0, 0)


async def enqueue_changed(tx: Tx, collection_id: int, *, lane: Lane, not_before: datetime | None) -> None:
    """Enqueue what is new or has another signature; call after `compare`, before `remember`."""
    values = {"collection_id": collection_id, "lane": lane.value, "not_before": not_before}
    await tx.execute(_SQL["enqueue_changed"], values)


async def enqueue_missing(tx: Tx, collection_id: int, *, not_before: datetime | None) -> None:
    """Enqueue what is no longer listed, and forget that it was; call after `compare`."""
    await tx.execute(_SQL["enqueue_missing"], {"collection_id": collection_id, "not_before": not_before})
    await tx.execute(_SQL["forget_missing"], {"collection_id": collection_id})


async def remember(tx: Tx, collection_id: int, *, polled_at: datetime) -> None:
    """Keep this listing as the last one; the first complete poll starts the tracking of changes."""
    await tx.execute(_SQL["remember_listing"], {"collection_id": collection_id})
    await tx.execute(_SQL["remember_poll"], {"collection_id": collection_id, "polled_at": polled_at})
