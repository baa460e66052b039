"""The queue reads what it works on and nothing else: however large it is, whatever PostgreSQL believes of its size."""

from collections.abc import Awaitable, Callable

import pytest

from embedding_assets.domain.claim_starts import ClaimStarts
from embedding_assets.domain.work import ClaimedItem, Lane
from embedding_assets.store import shard_leases, work_queue
from embedding_assets.store.database import Database, Tx
from embedding_assets.store.queries import load_queries
from embedding_assets.store.work_queue import Pick
from embedding_assets_tests.support.collections import MadeCollection, make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.large_queue import ITEMS, believe_it_empty, fill, lease, rows_read
from embedding_assets_tests.support.plans import CLAIM, claim_values, run_and_explain
from embedding_assets_tests.support.queue import ALL_SHARDS, at, claim, settle

_CLAIMED = 200
# Measured: 13 to 21, from 5,000 to a million items.
_BUFFERS_A_ROW = 25


async def _as_loaded(db: Database, docs: MadeCollection) -> None:
    async with db.transaction() as tx:
        await fill(tx, docs)


async def _analyzed(db: Database, docs: MadeCollection) -> None:
    await _as_loaded(db, docs)
    async with db.autocommit() as connection:
        await connection.execute("ANALYZE embedding_assets.work_items")


async def _mostly_leased(db: Database, docs: MadeCollection) -> None:
    await _as_loaded(db, docs)
    async with db.transaction() as tx:
        await lease(tx, ITEMS - 2 * _CLAIMED)


@pytest.mark.parametrize("prepared", [_as_loaded, _analyzed, _mostly_leased, believe_it_empty])
@on_database
async def test_a_claim_reads_only_what_it_claims(
    db: Database, prepared: Callable[[Database, MadeCollection], Awaitable[None]]
) -> None:
    docs = await make_collection(db)
    await prepared(db, docs)
    held = [f"held-{number}" for number in range(400)]
    async with db.transaction() as tx:
        plan = await run_and_explain(tx, CLAIM, claim_values(docs.id, items=_CLAIMED, leave=held, now=at(1)))
    assert plan.of_types("Sort", "Incremental Sort", "Seq Scan") == []
    [ready] = [node for _, node in plan.nodes if node.get("Index Name") == "work_items_ready"]
    assert ("line" in ready["Index Cond"], "available_at" in ready["Index Cond"]) == (True, True)
    assert (plan.rows > _CLAIMED / 2, plan.buffers_a_row < _BUFFERS_A_ROW) == (True, True)


@on_database
async def test_whether_work_is_ready_is_seen_in_the_index(db: Database) -> None:
    docs = await make_collection(db)
    await _analyzed(db, docs)
    values = {"collection_id": docs.id, "shards": list(ALL_SHARDS), "now": at(1)}
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM embedding_assets.work_arrivals")
        plan = await run_and_explain(tx, load_queries("work_queue")["ready_work"], values)
    [ready] = [node for _, node in plan.nodes if node.get("Relation Name") == "work_items" and node["Actual Loops"]]
    assert (ready["Index Name"], "available_at" in ready["Index Cond"]) == ("work_items_ready", True)


@on_database
async def test_a_suspect_is_looked_for_among_those_that_lost_a_worker(db: Database) -> None:
    docs = await make_collection(db)
    await _as_loaded(db, docs)
    async with db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.work_items SET lost_claims = 2 WHERE document_key = 'document-7'")
    async with db.transaction() as tx:
        assert await rows_read(tx, claim(tx, docs, now=at(1), suspects=True)) < 20
        assert await _leased(tx) == {"document-7"}


@on_database
async def test_the_whole_life_of_an_item_reads_little_of_a_queue_that_postgresql_believes_to_be_empty(
    db: Database,
) -> None:
    docs = await make_collection(db, tracked_since=at(-60))
    await believe_it_empty(db, docs)
    read: dict[str, int] = {}
    async with db.transaction() as tx:
        read["fold"] = await rows_read(tx, work_queue.fold(tx, docs.id, arrivals=100, now=at(1)))
        items = await claim(tx, docs, now=at(1))
        extend = work_queue.extend(tx, docs.id, items, lease_seconds=60, max_claim_seconds=600, now=at(1))
        read["extend"] = await rows_read(tx, extend)
        read["release"] = await rows_read(tx, work_queue.release(tx, docs.id, items[50:], now=at(1)))
        read["settle"] = await rows_read(tx, settle(tx, docs, items[:40], now=at(1)))
        orphans = shard_leases.end_leases_of_others(tx, docs.id, ALL_SHARDS, owner="heir", now=at(1))
        read["orphans"] = await rows_read(tx, orphans)
        assert await _leased(tx) == {item.document_key for item in items[40:50]}
    assert {name: rows for name, rows in read.items() if rows > ITEMS / 5} == {}


@on_database
async def test_a_claim_that_starts_where_the_last_one_ended_does_not_read_what_an_old_snapshot_keeps(
    db: Database,
) -> None:
    docs = await make_collection(db)
    await _as_loaded(db, docs)
    starts = ClaimStarts()
    async with db.transaction() as reader:
        await _read_all(reader)
        for _ in range(15):
            starts.claimed(await _claim_and_settle(db, docs))
        values = claim_values(docs.id, items=16, starts=starts.of(Lane.LIVE, ALL_SHARDS), now=at(1))
        async with db.transaction() as tx:
            plan = await run_and_explain(tx, CLAIM, values)
    assert (plan.rows, plan.buffers_a_row < _BUFFERS_A_ROW) == (16, True)


@on_database
async def test_under_an_old_snapshot_every_item_is_claimed_once_and_what_is_released_comes_again(db: Database) -> None:
    docs = await make_collection(db)
    await _as_loaded(db, docs)
    settled: list[str] = []
    async with db.transaction() as reader:
        await _read_all(reader)
        async with db.transaction() as tx:
            released = await claim(tx, docs, now=at(1))
            await work_queue.release(tx, docs.id, released, now=at(1))
        while items := await _claim_and_settle(db, docs):
            settled += [item.document_key for item in items]
        assert await _read_all(reader) == ITEMS
    assert (len(settled), len(set(settled))) == (ITEMS, ITEMS)


async def _read_all(reader: Tx) -> int:
    """As a dump does: the first time, its snapshot is taken."""
    await reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    return (await reader.execute("SELECT FROM embedding_assets.work_items")).rowcount


async def _claim_and_settle(db: Database, docs: MadeCollection) -> list[ClaimedItem]:
    """The same number of every shard."""
    pick = Pick(of_each=[_CLAIMED // len(ALL_SHARDS)] * len(ALL_SHARDS))
    async with db.transaction() as tx:
        items = await work_queue.claim(
            tx, docs.id, ALL_SHARDS, lane=Lane.LIVE, items=_CLAIMED, owner="me", lease_seconds=60, pick=pick, now=at(1)
        )
        await settle(tx, docs, items, now=at(1))
    return items


async def _leased(tx: Tx) -> set[str]:
    rows = await tx.execute("SELECT document_key FROM embedding_assets.work_items WHERE lease_owner IS NOT NULL")
    return {row[0] for row in await rows.fetchall()}
