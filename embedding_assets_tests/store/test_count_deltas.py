"""Counts of what is queued and tracked follow every statement that changes them, whoever issues it, and never make it wait."""

import asyncio

from embedding_assets.domain.work import Lane
from embedding_assets.store import count_deltas, metric_readings, work_queue
from embedding_assets.store.database import Database, Tx
from embedding_assets_tests.support.collections import MadeCollection, make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.queue import arrive, at, change, claim, put, settle


async def counts(tx: Tx) -> dict[tuple[str, str | None], int]:
    """(what, lane) of collection `docs`, without what is 0."""
    return {(what, lane): number for _, what, lane, number in await metric_readings.counted(tx) if number}


async def _add_documents(tx: Tx, docs: MadeCollection, *keys: str) -> None:
    for key in keys:
        await tx.execute(
            """
            INSERT INTO embedding_assets.documents (collection_id, document_key, version, content, content_hash)
            VALUES (%s, %s, 1, '', sha256('')) ON CONFLICT (collection_id, document_key) DO UPDATE SET deleted_at = NULL
            """,
            [docs.id, key],
        )


@on_database
async def test_a_fold_a_change_of_lane_and_a_settle_keep_the_depth_of_each_lane(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a", "b", "c", lane=Lane.BACKFILL)
        assert await counts(tx) == {("queued", "backfill"): 3}
        await change(tx, docs, "b", "d", when=at(1))
        assert await counts(tx) == {("queued", "backfill"): 2, ("queued", "live"): 2}
        await settle(tx, docs, await claim(tx, docs, now=at(2)))
        assert await counts(tx) == {("queued", "backfill"): 2}


@on_database
async def test_a_document_is_tracked_until_it_is_deleted_and_again_when_it_comes_back(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await _add_documents(tx, docs, "a", "b")
        await tx.execute(
            "UPDATE embedding_assets.documents SET deleted_at = clock_timestamp() WHERE document_key = 'a'"
        )
        await tx.execute("UPDATE embedding_assets.documents SET title = 'new'")
        assert await counts(tx) == {("tracked", None): 1}
        await _add_documents(tx, docs, "a", "b")
        assert await counts(tx) == {("tracked", None): 2}


@on_database
async def test_a_collection_that_is_deleted_takes_its_counts_along(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a")
        await _add_documents(tx, docs, "a")
        await tx.execute("DELETE FROM embedding_assets.collections WHERE id = %s", [docs.id])
        await count_deltas.put_together(tx, rows=100)
        row = await (await tx.execute("SELECT count(*) FROM embedding_assets.count_deltas")).fetchone()
        assert row == (0,)


@on_database
async def test_putting_deltas_together_changes_no_count_whoever_does_it_beside_running_folds(db: Database) -> None:
    docs = await make_collection(db)

    async def fold(turn: int) -> None:
        for number in range(10):
            async with db.transaction() as tx:
                await put(tx, docs, f"{turn}-{number}")

    async def put_together() -> None:
        for _ in range(10):
            async with db.transaction() as tx:
                await count_deltas.put_together(tx, rows=7)

    await asyncio.gather(*(fold(turn) for turn in range(3)), put_together(), put_together())
    async with db.transaction() as tx:
        assert await counts(tx) == {("queued", "live"): 30}
        assert await count_deltas.reconcile(tx, docs.id) == 0


@on_database
async def test_reconciling_corrects_what_went_past_the_triggers_and_says_by_how_much(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a", "b")
        await tx.execute("UPDATE embedding_assets.count_deltas SET delta = delta + 5")
        assert await count_deltas.reconcile(tx, docs.id) == 5
        assert await counts(tx) == {("queued", "live"): 2}
        assert await count_deltas.reconcile(tx, docs.id) == 0


@on_database
async def test_two_folds_that_change_the_same_counts_do_not_wait_for_each_other(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as one, db.transaction() as other:
        await put(one, docs, "a")
        await arrive(other, docs, "b")
        assert (await work_queue.fold(other, docs.id)).arrivals == 1
