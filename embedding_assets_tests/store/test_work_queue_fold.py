"""Arrivals become work items, one per document; nobody who appends one ever waits."""

from datetime import timedelta

import anyio
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from embedding_assets.domain.documents import shard_of
from embedding_assets.domain.work import Lane
from embedding_assets.store import source_listings, work_queue
from embedding_assets.store.database import Database, Tx
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import on_database, waiting_for_a_lock
from embedding_assets_tests.support.queue import NOON, arrive, at, claim, items, keys, put

_KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@pytest.mark.parametrize(
    ("document_key", "shard"),
    [("", 9), ("a", 9), ("README.md", 15), ("guide/install.md", 14), ("Übersicht.md", 10), ("日本語", 8)],
)
def test_a_key_has_the_same_shard_in_python_in_sql_and_for_ever(
    database_url: str, document_key: str, shard: int
) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT embedding_assets.shard_of(%s)", [document_key]).fetchone()
    assert (shard_of(document_key), row) == (shard, (shard,))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document_keys=st.lists(_KEYS, max_size=50))
def test_python_and_sql_agree_on_the_shard_of_every_key(database_url: str, document_keys: list[str]) -> None:
    with psycopg.connect(database_url) as connection:
        query = "SELECT embedding_assets.shard_of(k) FROM unnest(%s::text[]) WITH ORDINALITY AS u (k, n) ORDER BY n"
        rows = connection.execute(query, [document_keys]).fetchall()
    assert [row[0] for row in rows] == [shard_of(key) for key in document_keys]


@on_database
async def test_arrivals_of_one_document_become_one_item(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await arrive(tx, docs, "a", "b", "a", "a")
        assert (await work_queue.fold(tx, docs.id)).arrivals == 4
        assert sorted(await items(tx, docs)) == ["a", "b"]
        assert (await work_queue.fold(tx, docs.id)).arrivals == 0


@on_database
async def test_an_arrival_for_a_waiting_item_keeps_its_age_and_draws_a_newer_generation(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a")
        before = (await items(tx, docs))["a"]
        await arrive(tx, docs, "a", enqueued_at=at(5))
        await work_queue.fold(tx, docs.id, now=at(5))
        after = (await items(tx, docs))["a"]
    assert after["generation"] > before["generation"]
    assert after["first_enqueued_at"] == NOON
    assert after["available_at"] == before["available_at"]


@pytest.mark.parametrize(
    ("first", "second", "lane"),
    [
        (Lane.BACKFILL, Lane.LIVE, "live"),
        (Lane.LIVE, Lane.BACKFILL, "live"),
        (Lane.BACKFILL, Lane.BACKFILL, "backfill"),
    ],
)
@pytest.mark.parametrize("folds", [1, 2])
@on_database
async def test_the_live_lane_wins_whichever_came_first(
    db: Database, first: Lane, second: Lane, lane: str, folds: int
) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await arrive(tx, docs, "a", lane=first)
        if folds == 2:
            await work_queue.fold(tx, docs.id)
        await arrive(tx, docs, "a", lane=second)
        await work_queue.fold(tx, docs.id)
        assert (await items(tx, docs))["a"]["lane"] == lane


@on_database
async def test_fold_takes_the_arrivals_of_its_collection_only_and_no_more_than_asked(db: Database) -> None:
    docs, others = await make_collection(db), await make_collection(db, "others")
    async with db.transaction() as tx:
        await arrive(tx, docs, *(f"document-{n}" for n in range(10)))
        await arrive(tx, others, "elsewhere")
        assert (await work_queue.fold(tx, docs.id, arrivals=7)).arrivals == 7
        assert len(await items(tx, docs)) == 7
        assert (await work_queue.fold(tx, docs.id)).arrivals == 3
        assert await items(tx, others) == {}


@on_database
async def test_two_folds_at_once_take_every_arrival_once(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await arrive(tx, docs, *(f"document-{n % 40}" for n in range(400)))
    taken: list[int] = []

    async def fold_all() -> None:
        while True:
            async with db.transaction() as tx:
                took = (await work_queue.fold(tx, docs.id, arrivals=7)).arrivals
            if not took:
                return
            taken.append(took)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fold_all)
        tasks.start_soon(fold_all)
    assert sum(taken) == 400
    async with db.transaction() as tx:
        assert len(await items(tx, docs)) == 40
        assert (await work_queue.fold(tx, docs.id)).arrivals == 0


@on_database
async def test_an_arrival_that_commits_late_is_folded_though_its_id_is_lower(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as late:
        await arrive(late, docs, "late")
        async with db.transaction() as tx:
            await arrive(tx, docs, "early")
            assert (await work_queue.fold(tx, docs.id)).arrivals == 1
    async with db.transaction() as tx:
        assert (await work_queue.fold(tx, docs.id)).arrivals == 1
        assert sorted(await items(tx, docs)) == ["early", "late"]


@on_database
async def test_a_producer_waits_neither_for_a_settle_nor_for_a_fold(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a")
        claimed = await claim(tx, docs)
        await arrive(tx, docs, "a", "b")
    async with db.transaction() as settling, db.transaction() as folding:
        assert await work_queue.lock_claims(settling, docs.id, claimed) == {"a"}
        await folding.execute("SELECT FROM embedding_assets.work_arrivals FOR UPDATE")
        async with db.transaction() as producer:
            await producer.execute("SET LOCAL lock_timeout = '5s'")
            await work_queue.enqueue(producer, docs.id, [("a", None), ("b", NOON)], lane=Lane.LIVE)
        async with db.transaction() as another:
            assert (await work_queue.fold(another, docs.id, arrivals=0)).arrivals == 0
            row = await (await another.execute("SELECT count(*) FROM embedding_assets.work_arrivals")).fetchone()
            assert row == (4,)


@on_database
async def test_a_producer_does_not_wait_for_a_poll_that_is_compared(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as polling:
        await source_listings.lock(polling, docs.id)
        async with db.transaction() as producer:
            await producer.execute("SET LOCAL lock_timeout = '5s'")
            await work_queue.enqueue(producer, docs.id, [("a", NOON)], lane=Lane.LIVE)


@on_database
async def test_a_fold_that_waited_for_a_settle_makes_the_item_anew(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a")
        claimed = await claim(tx, docs)
        await arrive(tx, docs, "a", enqueued_at=at(1))

    async def fold() -> None:
        async with db.transaction() as tx:
            await work_queue.fold(tx, docs.id, now=at(1))

    async with anyio.create_task_group() as tasks, db.transaction() as settling:
        ours = await work_queue.lock_claims(settling, docs.id, claimed)
        tasks.start_soon(fold)
        await waiting_for_a_lock(db)
        await work_queue.finish(settling, docs.id, list(ours))
    async with db.transaction() as tx:
        item = (await items(tx, docs))["a"]
        assert (item["first_enqueued_at"], item["lease_owner"]) == (at(1), None)
        assert keys(await claim(tx, docs, now=NOON + timedelta(minutes=1))) == ["a"]


@on_database
async def test_a_fold_that_was_overtaken_does_not_take_the_generation_back(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await arrive(tx, docs, "a", "a")
        await _hold_insertions_of(tx, "overtaken")

    async def fold_overtaken() -> None:
        async with db.transaction() as tx:
            await tx.execute("SET LOCAL application_name = 'overtaken'")
            assert (await work_queue.fold(tx, docs.id, arrivals=1)).arrivals == 1

    async with anyio.create_task_group() as tasks, db.transaction() as holding:
        await holding.execute("SELECT pg_advisory_xact_lock(1)")
        tasks.start_soon(fold_overtaken)
        await waiting_for_a_lock(db)
        async with db.transaction() as tx:
            assert (await work_queue.fold(tx, docs.id, now=NOON)).arrivals == 1
            assert keys(await claim(tx, docs)) == ["a"]
    async with db.transaction() as tx:
        item = (await items(tx, docs))["a"]
        assert item["generation"] > item["claimed_generation"]


async def _hold_insertions_of(tx: Tx, application_name: str) -> None:
    """Its folds stop at advisory lock 1 after they drew a generation and before they look for the item."""
    await tx.execute(
        """
        CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock(1);
            RETURN NEW;
        END $$;
        """
    )
    await tx.execute(
        sql.SQL(
            "CREATE TRIGGER hold BEFORE INSERT ON embedding_assets.work_items FOR EACH ROW"
            " WHEN (current_setting('application_name') = {}) EXECUTE FUNCTION hold()"
        ).format(application_name)
    )
