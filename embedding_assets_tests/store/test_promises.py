"""A missed promise is counted once, at its deadline or when its document is given up."""

import asyncio

from embedding_assets.pipeline.promises import count_missed
from embedding_assets.store import ledger, promises
from embedding_assets.store.database import Database
from embedding_assets.telemetry.durable import FRESHNESS_SLA_DOCUMENTS
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.queue import NOON, arrive, at, change, claim, obligations


@on_database
async def test_a_promise_is_taken_as_missed_at_its_deadline_and_not_before(db: Database) -> None:
    docs = await make_collection(db, tracked_since=NOON)
    async with db.transaction() as tx:
        await change(tx, docs, "a", when=at(0))
        assert await promises.take_missed(tx, now=at(59.9)) == {}
        assert await promises.take_missed(tx, now=at(60)) == {"docs": 1}
        assert await promises.take_missed(tx, now=at(61)) == {}
        [closed] = await promises.close_obligations(tx, docs.id, await claim(tx, docs, now=at(62)), now=at(62))
        assert closed.counted is True


@on_database
async def test_missed_promises_of_all_collections_are_taken_in_batches_oldest_first(db: Database) -> None:
    docs = await make_collection(db, tracked_since=NOON)
    others = await make_collection(db, "others", tracked_since=NOON)
    async with db.transaction() as tx:
        await change(tx, docs, "c", when=at(1))
        await change(tx, docs, "b", when=at(2))
        await change(tx, others, "a", when=at(3))
        await change(tx, docs, "late", when=at(55))
        assert await promises.take_missed(tx, promises=2, now=at(100)) == {"docs": 2}
        assert await promises.take_missed(tx, promises=2, now=at(100)) == {"others": 1}
        assert (await obligations(tx, docs))["late"]["counted"] is False


@on_database
async def test_what_is_being_closed_is_left_and_nobody_waits(db: Database) -> None:
    docs = await make_collection(db, tracked_since=NOON)
    async with db.transaction() as tx:
        await change(tx, docs, "a", "b", when=at(0))
        mine = await claim(tx, docs)
    async with db.transaction() as settling, db.transaction() as tx:
        await promises.close_obligations(settling, docs.id, mine[:1], now=at(61))
        await tx.execute("SET LOCAL lock_timeout = '5s'")
        assert await promises.take_missed(tx, now=at(61)) == {"docs": 1}


@on_database
async def test_many_that_count_at_once_count_each_promise_once(db: Database) -> None:
    docs = await make_collection(db, tracked_since=NOON)
    async with db.transaction() as tx:
        await change(tx, docs, *(f"document-{number:03}" for number in range(300)), when=at(0))
    counted = await asyncio.gather(*(count_missed(db) for _ in range(6)))
    counted.append(await count_missed(db))
    async with db.transaction() as tx:
        assert await ledger.totals(tx, FRESHNESS_SLA_DOCUMENTS.name) == {("docs", "missed"): 300.0}
    assert sum(counted) == 300


@on_database
async def test_what_nobody_folded_is_found_by_the_oldest_arrival_of_each_collection(db: Database) -> None:
    docs = await make_collection(db, tracked_since=NOON)
    others = await make_collection(db, "others", tracked_since=NOON)
    async with db.transaction() as tx:
        await arrive(tx, docs, "old", changed_at=at(0), enqueued_at=at(0))
        await arrive(tx, docs, "new", changed_at=at(5), enqueued_at=at(5))
        await arrive(tx, others, "new", changed_at=at(5), enqueued_at=at(5))
        assert await promises.left_unfolded(tx, seconds=60, now=at(0.9)) == []
        assert await promises.left_unfolded(tx, seconds=60, now=at(5.5)) == [(docs.id, "docs")]
        assert [name for _, name in await promises.left_unfolded(tx, seconds=60, now=at(6))] == ["docs", "others"]


@on_database
async def test_a_change_that_no_run_ever_folded_is_missed_all_the_same(db: Database) -> None:
    docs = await make_collection(db, tracked_since=NOON)
    async with db.transaction() as tx:
        await arrive(tx, docs, "a", changed_at=at(0), enqueued_at=at(0))
    assert [await count_missed(db), await count_missed(db)] == [1, 0]
    async with db.transaction() as tx:
        assert (await obligations(tx, docs))["a"]["counted"] is True


@on_database
async def test_a_given_up_promise_is_gone_and_says_whether_it_was_counted(db: Database) -> None:
    docs = await make_collection(db, tracked_since=NOON)
    async with db.transaction() as tx:
        await change(tx, docs, "counted", when=at(0))
        await promises.take_missed(tx, now=at(60))
        await change(tx, docs, "open", "kept", when=at(30))
        assert await promises.give_up(tx, docs.id, ["counted", "open", "without"]) == 1
        assert list(await obligations(tx, docs)) == ["kept"]
