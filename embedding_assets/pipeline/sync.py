"""Polls a source: lists it, compares with the last complete listing, enqueues the difference. Deletes nothing.

First the listing, with no transaction open; then one transaction for the comparison, the arrivals and the new listing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from anyio import to_thread

from embedding_assets.domain.documents import ListedDocument
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.circuits import opens_circuits
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import circuits, source_listings
from embedding_assets.store.source_listings import ListingDifference

# A listing that lost more than this is more likely a broken mount than a clean-up: a person has to say so.
_MASS_DELETION_SHARE = 0.10
_MASS_DELETION_DOCUMENTS = 20
# A row of a PostgreSQL index holds 2,704 bytes, and some of ours hold more than the key.
_LONGEST_KEY_BYTES = 2000


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What a poll found. `withheld` missing documents were not enqueued for deletion, `unnameable` ones not at all."""

    difference: ListingDifference
    enqueued: int
    withheld: int
    unnameable: int
    initial: bool


async def sync_source(bench: Workbench, *, confirm_deletions: bool = False) -> SyncOutcome:
    """Poll the source once. The first complete poll is the initial load: backfill lane, no freshness promise.

    Raises:
        SourceError: `root_unavailable`: nothing is compared, nothing enqueued; nobody claims until it was read again.
    """
    async with bench.db.transaction() as tx:
        polled_at = await source_listings.server_time(tx)
    async with opens_circuits(bench):
        listing, unnameable = await to_thread.run_sync(lambda: _nameable(bench.source.list_documents()))
    collection_id = bench.target.collection_id
    async with bench.db.transaction() as tx:
        last = await source_listings.lock(tx, collection_id)
        initial = last.tracked_since is None
        difference = await source_listings.compare(tx, collection_id, listing)
        lane = Lane.BACKFILL if initial else Lane.LIVE
        await source_listings.enqueue_changed(tx, collection_id, lane=lane, not_before=last.last_poll_at)
        believed = confirm_deletions or not is_mass_deletion(difference)
        if believed:
            await source_listings.enqueue_missing(tx, collection_id, not_before=last.last_poll_at)
        await source_listings.remember(tx, collection_id, polled_at=polled_at)
        await circuits.close_circuits(tx, [bench.target.circuits.source])
    missing = difference.missing
    enqueued = difference.new + difference.changed + (missing if believed else 0)
    return SyncOutcome(difference, enqueued, 0 if believed else missing, unnameable, initial)


def is_mass_deletion(difference: ListingDifference) -> bool:
    """More than 10 % and more than 20 documents are gone at once."""
    share = difference.missing / max(difference.known, 1)
    return share > _MASS_DELETION_SHARE and difference.missing > _MASS_DELETION_DOCUMENTS


def _nameable(listing: Iterable[ListedDocument]) -> tuple[list[ListedDocument], int]:
    """Each document once, the last entry of those listed twice (a source read by pages, which changes meanwhile).

    A key that is not UTF-8, holds NUL or is too long for an index cannot be a reference in PostgreSQL; it is counted, not lost
    silently, and does not keep the others from being compared.
    """
    kept: dict[str, ListedDocument] = {}
    unnameable = 0
    for entry in listing:
        if _is_nameable(entry.document_key):
            kept[entry.document_key] = entry
        else:
            unnameable += 1
    return list(kept.values()), unnameable


def _is_nameable(document_key: str) -> bool:
    try:
        raw = document_key.encode()
        return b"\0" not in raw and len(raw) <= _LONGEST_KEY_BYTES
    except UnicodeEncodeError:
        return False
