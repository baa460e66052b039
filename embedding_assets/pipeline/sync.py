"""Polls a source: asks what changed, or lists all of it, compares with what was seen before, enqueues the difference.

First the source, with no transaction open; then one transaction for the comparison, the arrivals, what was seen and the cursor.
Deletes nothing.
"""

from dataclasses import dataclass, replace

from embedding_assets.domain.ports import IncrementalSource
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.circuits import opens_circuits
from embedding_assets.pipeline.staging import asked, staged
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import circuits, source_listings
from embedding_assets.store.source_listings import ListingDifference

# A listing that lost more than this is more likely a broken mount than a clean-up: a person has to say so.
_MASS_DELETION_SHARE = 0.10
_MASS_DELETION_DOCUMENTS = 20
# The nightly reconcile lists everything; where it did not come for a day and a half, the next poll does.
_LISTED_AT_LEAST_EVERY_SECONDS = 129_600.0


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What a poll found. `withheld` missing documents were not enqueued for deletion, `unnameable` ones not at all.

    `whole`: everything was listed, and not only asked for changes.
    """

    difference: ListingDifference
    enqueued: int
    withheld: int
    unnameable: int
    initial: bool
    whole: bool = True


async def sync_source(bench: Workbench, *, confirm_deletions: bool = False, whole: bool = False) -> SyncOutcome:
    """Poll the source once. The first complete poll is the initial load: backfill lane, no freshness promise.

    A source that can tell its changes is asked for them, and listed as well when that is due, or with `whole` or
    `confirm_deletions`.

    Raises:
        SourceError: `root_unavailable`: nothing is compared, nothing enqueued; nobody claims until it was read again.
    """
    source = bench.source
    if not isinstance(source, IncrementalSource):
        return await _poll_listing(bench, confirm_deletions=confirm_deletions)
    async with bench.db.transaction() as tx:
        known = await source_listings.poll_state(tx, bench.target.collection_id)
    changes = await _poll_changes(bench, source, known.cursor) if known.cursor is not None else None
    listed_lately = (known.listed_seconds_ago or 0) < _LISTED_AT_LEAST_EVERY_SECONDS
    if changes and listed_lately and not (whole or confirm_deletions):
        return changes
    # After the changes: what a listing alone finds is what they missed, and may be as old as the listing before.
    listing = await _poll_listing(bench, confirm_deletions=confirm_deletions)
    return replace(listing, enqueued=listing.enqueued + changes.enqueued) if changes else listing


async def _poll_listing(bench: Workbench, *, confirm_deletions: bool) -> SyncOutcome:
    collection_id, source = bench.target.collection_id, bench.source
    async with bench.db.session() as session:
        polled_at = await source_listings.server_time(session)
        async with opens_circuits(bench):
            cursor = None
            if isinstance(source, IncrementalSource):
                known = await source_listings.poll_state(session, collection_id)
                cursor = await asked(bench, lambda: source.next_cursor(known.cursor))
            unnameable = await staged(bench, session, source.list_documents)
        async with session.transaction():
            last = await source_listings.lock(session, collection_id)
            initial = last.tracked_since is None
            difference = await source_listings.compare(session, collection_id)
            lane = Lane.BACKFILL if initial else Lane.LIVE
            not_before = last.last_listed_at
            await source_listings.enqueue_changed(session, collection_id, lane=lane, not_before=not_before)
            believed = confirm_deletions or not is_mass_deletion(difference)
            withheld = 0 if believed else difference.missing
            if believed:
                await source_listings.enqueue_missing(session, collection_id, not_before=not_before)
            await source_listings.remember(
                session, collection_id, polled_at=polled_at, cursor=cursor, withheld=withheld
            )
            await circuits.close_circuits(session, [bench.target.circuits.source])
        await source_listings.drop_listing(session)
    enqueued = difference.new + difference.changed + difference.missing - withheld
    return SyncOutcome(difference, enqueued, withheld, unnameable, initial)


async def _poll_changes(bench: Workbench, source: IncrementalSource, cursor: str) -> SyncOutcome | None:
    """What changed since the cursor; None when the source does not know it."""
    collection_id = bench.target.collection_id
    async with bench.db.session() as session:
        polled_at = await source_listings.server_time(session)
        async with opens_circuits(bench):
            following = await asked(bench, lambda: source.next_cursor(cursor))
            try:
                unnameable = await staged(bench, session, lambda: source.changes_since(cursor))
            except ValueError:
                return None
        async with session.transaction():
            last = await source_listings.lock(session, collection_id)
            difference = await source_listings.compare_changes(session, collection_id)
            not_before = last.last_poll_at
            await source_listings.enqueue_changed(session, collection_id, lane=Lane.LIVE, not_before=not_before)
            await source_listings.enqueue_gone(session, collection_id, not_before=not_before)
            await source_listings.remember_changes(session, collection_id, polled_at=polled_at, cursor=following)
            await circuits.close_circuits(session, [bench.target.circuits.source])
        await source_listings.drop_listing(session)
    enqueued = difference.new + difference.changed + difference.missing
    return SyncOutcome(difference, enqueued, 0, unnameable, initial=False, whole=False)


def is_mass_deletion(difference: ListingDifference) -> bool:
    """More than 10 % and more than 20 documents are gone at once."""
    share = difference.missing / max(difference.known, 1)
    return share > _MASS_DELETION_SHARE and difference.missing > _MASS_DELETION_DOCUMENTS
