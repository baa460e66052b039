"""Vectors that nobody holds: marked, asked about again after the grace, and never taken from under a settle."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import anyio

from embedding_assets.domain.models import input_hash
from embedding_assets.store import corpus, vector_garbage, vectors
from embedding_assets.store.database import Database, Tx
from embedding_assets.store.vector_garbage import Collected, Marked
from embedding_assets_tests.support.collections import MadeCollection, make_collection
from embedding_assets_tests.support.database import on_database, waiting_for_a_lock
from embedding_assets_tests.support.documents import prepared, publish, store

_GRACE = 86_400.0


async def _holding(db: Database, *texts: str) -> MadeCollection:
    """A collection with these vectors; nobody holds them."""
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await store(tx, docs, {text: (1.0, 2.0, 3.0, float(n)) for n, text in enumerate(texts)})
    return docs


async def _mark_all(tx: Tx, docs: MadeCollection) -> Marked:
    return await vector_garbage.mark_unreferenced(tx, docs.table, after=b"", rows=100)


async def _collect(tx: Tx, docs: MadeCollection, *, later: float = _GRACE + 1) -> Collected:
    row = await (await tx.execute("SELECT clock_timestamp()")).fetchone()
    assert row is not None
    now: datetime = row[0]
    return await vector_garbage.collect(tx, docs.table, grace_seconds=_GRACE, now=now + timedelta(seconds=later))


async def _stored(tx: Tx, docs: MadeCollection, texts: Sequence[str]) -> set[str]:
    missing = await vectors.missing_inputs(tx, docs.table, [input_hash(text) for text in texts])
    return {text for text in texts if input_hash(text) not in missing}


@on_database
async def test_what_no_publication_ever_held_is_found_and_collected_after_its_grace(db: Database) -> None:
    docs = await _holding(db, "held", "left by a crash")
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("a.md", ["held"]))
        assert (await _mark_all(tx, docs)).marked == 1
        assert await _collect(tx, docs, later=_GRACE - 60) == Collected(0, 0)
        assert await _collect(tx, docs) == Collected(1, 1)
        assert await _stored(tx, docs, ["held", "left by a crash"]) == {"held"}


@on_database
async def test_what_an_edit_dropped_is_collected_and_what_it_kept_is_not(db: Database) -> None:
    docs = await _holding(db, "kept", "dropped", "new")
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("a.md", ["kept", "dropped"]))
        await publish(tx, docs, prepared("a.md", ["kept", "new"], version=2))
        assert await _collect(tx, docs) == Collected(1, 1)
        assert await _stored(tx, docs, ["kept", "dropped", "new"]) == {"kept", "new"}


@on_database
async def test_what_is_held_again_loses_its_mark_and_stays(db: Database) -> None:
    docs = await _holding(db, "text")
    async with db.transaction() as tx:
        await publish(tx, docs, prepared("a.md", ["text"]))
        await corpus.erase(tx, docs.id, ["a.md"])
        await publish(tx, docs, prepared("b.md", ["text"]))
        assert await _collect(tx, docs) == Collected(1, 0)
        assert await vector_garbage.count_marked(tx, docs.table) == 0
        assert await _stored(tx, docs, ["text"]) == {"text"}


@on_database
async def test_a_table_is_marked_in_steps_and_once(db: Database) -> None:
    texts = [f"text {number}" for number in range(7)]
    docs = await _holding(db, *texts)
    async with db.transaction() as tx:
        steps: list[int] = []
        last: bytes | None = b""
        while last is not None:
            step = await vector_garbage.mark_unreferenced(tx, docs.table, after=last, rows=3)
            steps.append(step.marked)
            last = step.last
        assert steps == [3, 3, 1, 0]
        assert (await _mark_all(tx, docs)).marked == 0
        assert await vector_garbage.count_marked(tx, docs.table) == 7


@on_database
async def test_the_collector_waits_for_a_settle_and_then_sees_what_it_holds(db: Database) -> None:
    docs = await _holding(db, "text")
    async with db.transaction() as tx:
        await _mark_all(tx, docs)

    async def collecting() -> Collected:
        async with db.transaction() as tx:
            return await _collect(tx, docs)

    async with db.transaction() as settling:
        await vectors.hold_off_collector(settling, docs.table)
        collector = asyncio.create_task(collecting())
        await waiting_for_a_lock(db)
        assert await vectors.missing_inputs(settling, docs.table, [input_hash("text")]) == set()
        await publish(settling, docs, prepared("a.md", ["text"]))
    assert await collector == Collected(1, 0)
    async with db.transaction() as tx:
        assert await _stored(tx, docs, ["text"]) == {"text"}


@on_database
async def test_a_settle_waits_for_the_collector_and_then_sees_what_is_gone(db: Database) -> None:
    docs = await _holding(db, "text")
    async with db.transaction() as tx:
        await _mark_all(tx, docs)

    async def settling() -> set[bytes]:
        async with db.transaction() as tx:
            await vectors.hold_off_collector(tx, docs.table)
            return await vectors.missing_inputs(tx, docs.table, [input_hash("text")])

    async with db.transaction() as collecting:
        assert await _collect(collecting, docs) == Collected(1, 1)
        settle = asyncio.create_task(settling())
        await waiting_for_a_lock(db)
    assert await settle == {input_hash("text")}


@on_database
async def test_collectors_at_once_delete_each_vector_once(db: Database) -> None:
    docs = await _holding(db, *(f"text {number}" for number in range(40)))
    async with db.transaction() as tx:
        await _mark_all(tx, docs)
    deleted: list[int] = []

    async def collecting() -> None:
        while True:
            async with db.transaction() as tx:
                batch = await vector_garbage.collect(tx, docs.table, grace_seconds=0, rows=3)
            if not batch.looked_at:
                return
            deleted.append(batch.deleted)

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(collecting)
    assert sum(deleted) == 40


@on_database
async def test_another_collections_vectors_of_the_same_input_are_its_own(db: Database) -> None:
    docs, others = await _holding(db, "text"), await make_collection(db, "others")
    async with db.transaction() as tx:
        await store(tx, others, {"text": (1.0, 2.0, 3.0, 4.0)})
        await publish(tx, others, prepared("a.md", ["text"]))
        await _mark_all(tx, docs)
        await _mark_all(tx, others)
        assert await _collect(tx, docs) == Collected(1, 1)
        assert await _collect(tx, others) == Collected(0, 0)
        assert await _stored(tx, others, ["text"]) == {"text"}
