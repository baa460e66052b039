"""A poll is compared with the last complete one: what differs is enqueued, what is seen is remembered."""

from datetime import datetime

import anyio
import pytest

from embedding_assets.domain.documents import ListedDocument
from embedding_assets.domain.work import Lane
from embedding_assets.store import source_listings
from embedding_assets.store.database import Database, Tx
from embedding_assets.store.source_listings import LastPoll, ListingDifference
from embedding_assets_tests.support.collections import MadeCollection, make_collection
from embedding_assets_tests.support.database import on_database, waiting_for_a_lock
from embedding_assets_tests.support.listings import compared, listed
from embedding_assets_tests.support.queue import NOON, at


async def _poll(
    db: Database,
    docs: MadeCollection,
    listing: list[ListedDocument],
    *,
    at_time: datetime = NOON,
    deletions: bool = True,
) -> ListingDifference:
    """A whole poll, as sync does it."""
    async with db.transaction() as tx:
        last = await source_listings.lock(tx, docs.id)
        difference = await compared(tx, docs.id, listing)
        await source_listings.enqueue_changed(tx, docs.id, lane=Lane.LIVE, not_before=last.last_poll_at)
        if deletions:
            await source_listings.enqueue_missing(tx, docs.id, not_before=last.last_poll_at)
        await source_listings.remember(tx, docs.id, polled_at=at_time)
        return difference


async def _take_arrivals(tx: Tx) -> list[tuple[str, datetime | None, datetime | None, str]]:
    rows = await tx.execute(
        "DELETE FROM embedding_assets.work_arrivals RETURNING document_key, changed_at, not_before, lane::text"
    )
    return sorted(await rows.fetchall())


@on_database
async def test_the_first_poll_finds_everything_new_and_starts_the_tracking(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        assert await source_listings.lock(tx, docs.id) == LastPoll(None, None, None)
    assert await _poll(db, docs, listed("a", "b")) == ListingDifference(listed=2, known=0, new=2, changed=0, missing=0)
    async with db.transaction() as tx:
        assert await source_listings.lock(tx, docs.id) == LastPoll(
            tracked_since=NOON, last_poll_at=NOON, last_listed_at=NOON
        )
        assert await _take_arrivals(tx) == [("a", NOON, None, "live"), ("b", NOON, None, "live")]


@on_database
async def test_a_later_poll_keeps_the_start_of_the_tracking(db: Database) -> None:
    docs = await make_collection(db)
    await _poll(db, docs, listed("a"), at_time=at(0))
    await _poll(db, docs, listed("a"), at_time=at(5))
    async with db.transaction() as tx:
        assert await source_listings.lock(tx, docs.id) == LastPoll(
            tracked_since=at(0), last_poll_at=at(5), last_listed_at=at(5)
        )


@on_database
async def test_a_listing_that_is_the_same_enqueues_nothing(db: Database) -> None:
    docs = await make_collection(db)
    await _poll(db, docs, listed("a", "b"))
    async with db.transaction() as tx:
        await _take_arrivals(tx)
    assert await _poll(db, docs, listed("b", "a")) == ListingDifference(listed=2, known=2, new=0, changed=0, missing=0)
    async with db.transaction() as tx:
        assert await _take_arrivals(tx) == []


@on_database
async def test_what_is_new_changed_or_missing_is_told_and_enqueued(db: Database) -> None:
    docs = await make_collection(db)
    await _poll(db, docs, listed("same", "changed", "missing"), at_time=at(0))
    async with db.transaction() as tx:
        await _take_arrivals(tx)
    now = [*listed("same", "new"), *listed("changed", signature="2", changed_at=at(3))]
    assert await _poll(db, docs, now, at_time=at(5)) == ListingDifference(
        listed=3, known=3, new=1, changed=1, missing=1
    )
    async with db.transaction() as tx:
        assert await _take_arrivals(tx) == [
            ("changed", at(3), at(0), "live"),
            ("missing", at(0), at(0), "live"),
            ("new", NOON, at(0), "live"),
        ]
    assert (await _poll(db, docs, now)).missing == 0


@on_database
async def test_deletions_that_are_withheld_are_found_again(db: Database) -> None:
    docs = await make_collection(db)
    await _poll(db, docs, listed("a", "b"))
    assert (await _poll(db, docs, listed("a"), deletions=False)).missing == 1
    assert (await _poll(db, docs, listed("a"))).missing == 1
    assert (await _poll(db, docs, listed("a"))).missing == 0


@on_database
async def test_a_document_that_comes_back_is_new(db: Database) -> None:
    docs = await make_collection(db)
    await _poll(db, docs, listed("a", "b"))
    await _poll(db, docs, listed("a"))
    assert (await _poll(db, docs, listed("a", "b"))).new == 1


@on_database
async def test_the_first_poll_is_the_initial_load_in_the_lane_it_is_given(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await compared(tx, docs.id, listed("a", changed_at=None))
        await source_listings.enqueue_changed(tx, docs.id, lane=Lane.BACKFILL, not_before=None)
        assert await _take_arrivals(tx) == [("a", None, None, "backfill")]


@pytest.mark.parametrize("key", ["tab\there", "line\nbreak", "back\\slash", "\\N", "\\.", "", "“quoted”", "a,b"])
@on_database
async def test_a_key_of_any_characters_is_remembered_as_it_is(db: Database, key: str) -> None:
    docs = await make_collection(db)
    await _poll(db, docs, listed(key))
    assert await _poll(db, docs, listed(key)) == ListingDifference(listed=1, known=1, new=0, changed=0, missing=0)
    async with db.transaction() as tx:
        assert await _take_arrivals(tx) == [(key, NOON, None, "live")]


@on_database
async def test_collections_with_the_same_keys_do_not_see_each_others_listings(db: Database) -> None:
    docs, others = await make_collection(db), await make_collection(db, "others")
    await _poll(db, docs, listed("a"))
    assert (await _poll(db, others, listed("a"))).new == 1
    assert (await _poll(db, others, listed())).missing == 1
    assert (await _poll(db, docs, listed("a"))).new == 0


@on_database
async def test_one_poll_of_a_collection_is_compared_at_a_time(db: Database) -> None:
    docs = await make_collection(db)
    found: list[int] = []

    async def poll() -> None:
        found.append((await _poll(db, docs, listed("a", "b"))).new)

    async with anyio.create_task_group() as tasks, db.transaction() as tx:
        await source_listings.lock(tx, docs.id)
        tasks.start_soon(poll)
        await waiting_for_a_lock(db)
        await compared(tx, docs.id, listed("a"))
        await source_listings.remember(tx, docs.id, polled_at=NOON)
    assert found == [1]


@on_database
async def test_every_worker_has_the_servers_time(db: Database) -> None:
    async with db.transaction() as tx:
        first = await source_listings.server_time(tx)
        second = await source_listings.server_time(tx)
    assert first.tzinfo is not None
    assert first < second
