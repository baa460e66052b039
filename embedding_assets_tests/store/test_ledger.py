"""Durable counters: added to in the caller's transaction, spread over rows, never by half."""

import asyncio

from embedding_assets.store import ledger
from embedding_assets.store.database import Database
from embedding_assets_tests.support.database import on_database


@on_database
async def test_a_counter_adds_up_over_shards_and_by_labels(db: Database) -> None:
    async with db.transaction() as tx:
        await ledger.add(tx, "a_total", {("docs", "met"): 2, ("docs", "missed"): 0}, shard=0)
        await ledger.add(tx, "a_total", {("docs", "met"): 1, ("other, docs", "met"): 1.5}, shard=1)
        await ledger.add(tx, "b_total", {(): 1})
        assert await ledger.totals(tx, "a_total") == {("docs", "met"): 3, ("other, docs", "met"): 1.5}
        assert await ledger.totals(tx, "b_total") == {(): 1}


@on_database
async def test_what_was_rolled_back_was_never_counted(db: Database) -> None:
    async with db.transaction() as tx:
        await ledger.add(tx, "a_total", {("docs",): 1})
        await tx.execute("ROLLBACK AND CHAIN")
    async with db.transaction() as tx:
        assert await ledger.totals(tx, "a_total") == {}


@on_database
async def test_many_that_add_to_the_same_counters_in_any_order_lose_nothing(db: Database) -> None:
    async def add(turn: int) -> None:
        labels = [(f"collection-{number}",) for number in range(8)]
        async with db.transaction() as tx:
            await ledger.add(tx, "a_total", dict.fromkeys(labels[:: -1 if turn % 2 else 1], 1), shard=0)

    await asyncio.gather(*(add(turn) for turn in range(40)))
    async with db.transaction() as tx:
        assert set((await ledger.totals(tx, "a_total")).values()) == {40.0}
