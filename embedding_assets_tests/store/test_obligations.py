"""The freshness clock: what opens a promise, from when it runs, what ends it and what starts it anew."""

from datetime import datetime, timedelta

import pytest

from embedding_assets.domain.work import Lane
from embedding_assets.store import promises, work_queue
from embedding_assets.store.database import Database, Tx
from embedding_assets_tests.support.collections import MadeCollection, make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.queue import NOON, arrive, at, change, claim, obligations, settle

LONG_AGO = NOON - timedelta(days=365)
TRACKED = NOON - timedelta(days=1)


async def _promise_of(tx: Tx, docs: MadeCollection) -> tuple[datetime, datetime]:
    row = (await obligations(tx, docs))["a"]
    return row["due_from"], row["deadline"]


@on_database
async def test_a_live_change_is_promised_within_the_hour_from_when_it_happened(db: Database) -> None:
    docs = await make_collection(db, tracked_since=TRACKED)
    async with db.transaction() as tx:
        await arrive(tx, docs, "a", changed_at=at(-7), not_before=at(-10), enqueued_at=at(0))
        await work_queue.fold(tx, docs.id)
        assert await _promise_of(tx, docs) == (at(-7), at(53))


@on_database
async def test_the_promise_is_as_long_as_the_collection_says(db: Database) -> None:
    docs = await make_collection(db, tracked_since=TRACKED, freshness_seconds=90)
    async with db.transaction() as tx:
        await change(tx, docs, "a", when=at(0))
        assert await _promise_of(tx, docs) == (at(0), at(1.5))


@pytest.mark.parametrize(
    ("changed_at", "not_before", "due_from"),
    [
        (LONG_AGO, at(-10), at(-10)),  # an old file moved in: the last poll did not show it
        (at(600), at(-10), at(0)),  # a clock that runs ahead: it arrived now
        (None, at(-10), at(-10)),  # a source that keeps no time
        (at(-3), None, at(-3)),
    ],
)
@on_database
async def test_the_sources_clock_is_held_between_the_last_poll_and_the_arrival(
    db: Database, changed_at: datetime | None, not_before: datetime | None, due_from: datetime
) -> None:
    docs = await make_collection(db, tracked_since=TRACKED)
    async with db.transaction() as tx:
        await arrive(tx, docs, "a", changed_at=changed_at, not_before=not_before, enqueued_at=at(0))
        await work_queue.fold(tx, docs.id)
        assert (await _promise_of(tx, docs))[0] == due_from


@pytest.mark.parametrize(
    ("tracked_since", "lane", "changed_at"),
    [
        (TRACKED, Lane.BACKFILL, at(-1)),  # initial load, re-embedding
        (TRACKED, Lane.LIVE, LONG_AGO),  # older than the tracking
        (TRACKED, Lane.LIVE, None),  # a retry: nobody's change
        (None, Lane.LIVE, at(-1)),  # not tracked yet
    ],
)
@on_database
async def test_what_is_nobodys_new_change_opens_no_promise(
    db: Database, tracked_since: datetime | None, lane: Lane, changed_at: datetime | None
) -> None:
    docs = await make_collection(db, tracked_since=tracked_since)
    async with db.transaction() as tx:
        await arrive(tx, docs, "a", lane=lane, changed_at=changed_at)
        assert (await work_queue.fold(tx, docs.id)).arrivals == 1
        assert await obligations(tx, docs) == {}


@pytest.mark.parametrize("minutes", [(-30, -20), (-20, -30)])
@pytest.mark.parametrize("folds", [1, 2])
@on_database
async def test_changes_before_publication_are_one_promise_from_the_oldest(
    db: Database, minutes: tuple[int, int], folds: int
) -> None:
    docs = await make_collection(db, tracked_since=TRACKED)
    async with db.transaction() as tx:
        for minute in minutes:
            await arrive(tx, docs, "a", changed_at=at(minute))
            if folds == 2:
                await work_queue.fold(tx, docs.id, now=at(0))
        await work_queue.fold(tx, docs.id, now=at(0))
        assert await _promise_of(tx, docs) == (at(-30), at(30))
        [closed] = await promises.close_obligations(tx, docs.id, await claim(tx, docs), now=at(0))
        assert (closed.lag_seconds, closed.later_from) == (1800, None)


@pytest.mark.parametrize("published", [59, 60, 61])
@on_database
async def test_publication_ends_the_promise_and_says_whether_it_was_in_time(db: Database, published: float) -> None:
    docs = await make_collection(db, tracked_since=TRACKED)
    async with db.transaction() as tx:
        await change(tx, docs, "a", when=at(0))
        mine = await claim(tx, docs)
        [closed] = await promises.close_obligations(tx, docs.id, mine, now=at(published))
        assert (closed.document_key, closed.counted, closed.in_time) == ("a", False, published <= 60)
        assert closed.lag_seconds == published * 60
        assert await obligations(tx, docs) == {}
        assert await promises.close_obligations(tx, docs.id, mine, now=at(published)) == []


@on_database
async def test_a_change_during_a_claim_starts_the_promise_again_at_that_change(db: Database) -> None:
    docs = await make_collection(db, tracked_since=TRACKED)
    async with db.transaction() as tx:
        await change(tx, docs, "a", when=at(0))
        mine = await claim(tx, docs)
        for minute in (10, 20):
            await change(tx, docs, "a", when=at(minute))
        assert await _promise_of(tx, docs) == (at(0), at(60))
        [closed] = await promises.close_obligations(tx, docs.id, mine, now=at(30))
        assert (closed.lag_seconds, closed.in_time, closed.later_from) == (1800, True, at(10))
        assert await _promise_of(tx, docs) == (at(10), at(70))


@on_database
async def test_the_promise_starts_again_at_the_oldest_change_the_claim_did_not_see(db: Database) -> None:
    docs = await make_collection(db, tracked_since=TRACKED)
    async with db.transaction() as tx:
        await change(tx, docs, "a", when=at(0))
        mine = await claim(tx, docs)
        for minute in (20, 10):
            await change(tx, docs, "a", when=at(minute))
        await settle(tx, docs, mine, now=at(30))
        assert await _promise_of(tx, docs) == (at(10), at(70))


@on_database
async def test_an_old_change_that_arrives_during_a_claim_is_not_charged_to_it(db: Database) -> None:
    docs = await make_collection(db, tracked_since=TRACKED)
    async with db.transaction() as tx:
        await change(tx, docs, "a", when=at(0))
        mine = await claim(tx, docs)
        await change(tx, docs, "a", when=at(-40))
        [closed] = await promises.close_obligations(tx, docs.id, mine, now=at(10))
        assert (closed.lag_seconds, closed.later_from) == (600, at(-40))


@on_database
async def test_the_promise_started_again_ends_with_the_next_publication(db: Database) -> None:
    docs = await make_collection(db, tracked_since=TRACKED)
    async with db.transaction() as tx:
        await change(tx, docs, "a", when=at(0))
        mine = await claim(tx, docs)
        await change(tx, docs, "a", when=at(10))
        await settle(tx, docs, mine, now=at(20))
        again = await claim(tx, docs, now=at(20))
        [closed] = await promises.close_obligations(tx, docs.id, again, now=at(25))
        assert closed.lag_seconds == 15 * 60
        assert await obligations(tx, docs) == {}


@on_database
async def test_a_change_before_the_claim_is_covered_by_it(db: Database) -> None:
    docs = await make_collection(db, tracked_since=TRACKED)
    async with db.transaction() as tx:
        await change(tx, docs, "a", when=at(0))
        await change(tx, docs, "a", when=at(5))
        await settle(tx, docs, await claim(tx, docs, now=at(5)), now=at(6))
        assert await obligations(tx, docs) == {}


@on_database
async def test_a_change_covered_by_the_heir_of_a_lost_claim_starts_nothing_again(db: Database) -> None:
    docs = await make_collection(db, tracked_since=TRACKED)
    async with db.transaction() as tx:
        await change(tx, docs, "a", when=at(0))
        await claim(tx, docs, owner="killed", lease_seconds=60)
        await change(tx, docs, "a", when=at(0.5))
        heirs = await claim(tx, docs, owner="heir", now=at(2), lease_seconds=600)
        await change(tx, docs, "a", when=at(3))
        [closed] = await promises.close_obligations(tx, docs.id, heirs, now=at(4))
        assert closed.later_from == at(3)


@on_database
async def test_a_first_change_during_a_backfill_claim_outlives_that_claim(db: Database) -> None:
    docs = await make_collection(db, tracked_since=TRACKED)
    async with db.transaction() as tx:
        await arrive(tx, docs, "a", lane=Lane.BACKFILL)
        await work_queue.fold(tx, docs.id, now=at(0))
        mine = await claim(tx, docs, lane=Lane.BACKFILL)
        await change(tx, docs, "a", when=at(0.5))
        assert await promises.close_obligations(tx, docs.id, mine, now=at(1)) == []
        assert await _promise_of(tx, docs) == (at(0.5), at(60.5))


@on_database
async def test_a_promise_counted_as_missed_is_said_to_be_counted_and_keeps_its_start(db: Database) -> None:
    docs = await make_collection(db, tracked_since=TRACKED)
    async with db.transaction() as tx:
        await change(tx, docs, "a", when=at(0))
        await tx.execute("UPDATE embedding_assets.obligations SET counted = true")
        await arrive(tx, docs, "a", changed_at=at(-30))
        await work_queue.fold(tx, docs.id, now=at(61))
        assert (await obligations(tx, docs))["a"]["counted"] is True
        assert await _promise_of(tx, docs) == (at(0), at(60))
        mine = await claim(tx, docs, now=at(61))
        [closed] = await promises.close_obligations(tx, docs.id, mine, now=at(62))
        assert (closed.counted, closed.in_time) == (True, False)


@on_database
async def test_a_promise_counted_during_a_claim_starts_again_uncounted(db: Database) -> None:
    docs = await make_collection(db, tracked_since=TRACKED)
    async with db.transaction() as tx:
        await change(tx, docs, "a", when=at(0))
        mine = await claim(tx, docs)
        await change(tx, docs, "a", when=at(59))
        await tx.execute("UPDATE embedding_assets.obligations SET counted = true")
        await settle(tx, docs, mine, now=at(61))
        assert (await obligations(tx, docs))["a"]["counted"] is False
        assert await _promise_of(tx, docs) == (at(59), at(119))


@on_database
async def test_a_failed_attempt_keeps_the_promise(db: Database) -> None:
    docs = await make_collection(db, tracked_since=TRACKED)
    async with db.transaction() as tx:
        await change(tx, docs, "a", when=at(0))
        mine = await claim(tx, docs)
        await work_queue.lock_claims(tx, docs.id, mine)
        await work_queue.finish(tx, docs.id, ["a"])
        assert await _promise_of(tx, docs) == (at(0), at(60))
        await arrive(tx, docs, "a", lane=Lane.LIVE)
        await work_queue.fold(tx, docs.id, now=at(5))
        assert await _promise_of(tx, docs) == (at(0), at(60))
        [closed] = await promises.close_obligations(tx, docs.id, await claim(tx, docs, now=at(5)), now=at(6))
        assert (closed.lag_seconds, closed.later_from) == (360, None)
