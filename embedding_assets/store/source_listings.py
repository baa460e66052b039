"""What polls of a source saw: compared with this one in one transaction, the difference enqueued.

Not here: listing the source (providers/sources), and whether many deletions are believed (pipeline/sync).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from embedding_assets.domain.documents import ChangedDocument, ListedDocument
from embedding_assets.domain.work import Lane
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("source_listings")


@dataclass(frozen=True, slots=True)
class LastPoll:
    """When changes began to be tracked, when the source was last asked for any, and when it was last listed whole."""

    tracked_since: datetime | None
    last_poll_at: datetime | None
    last_listed_at: datetime | None


@dataclass(frozen=True, slots=True)
class PollState:
    """Up to where a source's changes were taken, and how long ago it was listed whole; None where it never was.

    The last listing lacked `withheld_deletions` documents, too many at once to be believed.
    """

    cursor: str | None
    listed_seconds_ago: float | None
    withheld_deletions: int


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


async def poll_state(tx: Tx, collection_id: int) -> PollState:
    """Where the next poll goes on."""
    row = await (await tx.execute(_SQL["poll_state"], {"collection_id": collection_id})).fetchone()
    return PollState(*row) if row else PollState(None, None, 0)


async def lock(tx: Tx, collection_id: int) -> LastPoll:
    """One poll of a collection is compared at a time."""
    row = await (await tx.execute(_SQL["lock_collection"], {"collection_id": collection_id})).fetchone()
    return LastPoll(*row) if row else LastPoll(None, None, None)


async def open_listing(session: Tx) -> None:
    """An empty listing in this session, which everything below works on, until `drop_listing`."""
    await session.execute(_SQL["drop_listing"])
    await session.execute(_SQL["create_listing"])


async def drop_listing(session: Tx) -> None:
    """Done with it."""
    await session.execute(_SQL["drop_listing"])


async def stage(session: Tx, entries: Iterable[ListedDocument | ChangedDocument]) -> None:
    """Add to the listing; no transaction needs to be open meanwhile."""
    async with session.cursor() as cursor, cursor.copy(_SQL["copy_listing"]) as copy:
        for entry in entries:
            await copy.write_row((entry.document_key, entry.signature, entry.changed_at))


async def complete(session: Tx) -> None:
    """All was staged: of what came twice the last entry stays."""
    await session.execute(_SQL["index_listing"])
    await session.execute(_SQL["analyze_listing"])
    await session.execute(_SQL["keep_last"])


async def compare(tx: Tx, collection_id: int) -> ListingDifference:
    """How the listing, taken for the whole source, differs from the one before."""
    row = await (await tx.execute(_SQL["difference"], {"collection_id": collection_id})).fetchone()
    return ListingDifference(*row) if row else ListingDifference(0, 0, 0, 0, 0)


async def compare_changes(tx: Tx, collection_id: int) -> ListingDifference:
    """How the listing, taken for what changed, differs from what was seen of these documents; `known` is 0."""
    row = await (await tx.execute(_SQL["change_counts"], {"collection_id": collection_id})).fetchone()
    listed, new, changed, gone = row or (0, 0, 0, 0)
    return ListingDifference(listed, 0, new, changed, gone)


async def enqueue_changed(tx: Tx, collection_id: int, *, lane: Lane, not_before: datetime | None) -> None:
    """Enqueue what is new or has another signature; call after `compare`, before `remember`."""
    values = {"collection_id": collection_id, "lane": lane.value, "not_before": not_before}
    await tx.execute(_SQL["enqueue_changed"], values)


async def enqueue_missing(tx: Tx, collection_id: int, *, not_before: datetime | None) -> None:
    """Enqueue what is no longer listed, and forget that it was; call after `compare`."""
    await tx.execute(_SQL["enqueue_missing"], {"collection_id": collection_id, "not_before": not_before})
    await tx.execute(_SQL["forget_missing"], {"collection_id": collection_id})


async def enqueue_gone(tx: Tx, collection_id: int, *, not_before: datetime | None) -> None:
    """Enqueue what the source says is gone, and forget that it was listed; call after `compare_changes`."""
    await tx.execute(_SQL["enqueue_gone"], {"collection_id": collection_id, "not_before": not_before})
    await tx.execute(_SQL["forget_gone"], {"collection_id": collection_id})


async def remember(
    tx: Tx, collection_id: int, *, polled_at: datetime, cursor: str | None = None, withheld: int = 0
) -> None:
    """Keep this listing as the last one; the first complete poll starts the tracking of changes.

    `cursor` is where the next poll of changes begins; so many deletions were `withheld`.
    """
    values = {"collection_id": collection_id, "polled_at": polled_at, "cursor": cursor, "withheld": withheld}
    await tx.execute(_SQL["remember_listing"], {"collection_id": collection_id})
    await tx.execute(_SQL["remember_poll"], values)


async def remember_changes(tx: Tx, collection_id: int, *, polled_at: datetime, cursor: str) -> None:
    """Keep what changed, and where the next poll of changes begins."""
    await tx.execute(_SQL["remember_listing"], {"collection_id": collection_id})
    values = {"collection_id": collection_id, "polled_at": polled_at, "cursor": cursor}
    await tx.execute(_SQL["remember_changes"], values)


async def remember_fetched(tx: Tx, collection_id: int, seen: Mapping[str, str], gone: Sequence[str]) -> None:
    """Keep the signatures of documents as claims in progress fetched them, and forget those that are `gone`.

    A poll finds them changed no more, unless they changed again. Before the claims are finished.
    """
    if gone:
        await tx.execute(_SQL["forget_fetched"], {"collection_id": collection_id, "document_keys": list(gone)})
    if seen:
        values = {
            "collection_id": collection_id,
            "document_keys": list(seen.keys()),
            "signatures": list(seen.values()),
        }
        await tx.execute(_SQL["remember_fetched"], values)
