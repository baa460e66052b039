"""The end of a claim: done, back in the queue, or given back; never by someone who no longer holds it."""

import anyio

from embedding_assets.store import work_queue
from embedding_assets.store.database import Database
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import on_database, waiting_for_a_lock
from embedding_assets_tests.support.queue import arrive, at, change, claim, items, keys, put, settle


@on_database
async def test_a_finished_item_leaves_the_queue(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a", "b")
        mine = await claim(tx, docs)
        assert await settle(tx, docs, mine[:1]) == {"a"}
        assert sorted(await items(tx, docs)) == ["b"]


@on_database
async def test_a_change_during_processing_leaves_the_item_available_now(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a")
        mine = await claim(tx, docs)
        await change(tx, docs, "a", when=at(0.5))
        assert await claim(tx, docs, now=at(0.5)) == []
        assert await settle(tx, docs, mine, now=at(0.75)) == {"a"}
        row = (await items(tx, docs))["a"]
        [again] = await claim(tx, docs, now=at(0.75))
    assert (row["lease_owner"], row["fence"], row["available_at"]) == (None, None, at(0.75))
    assert again.generation > mine[0].generation
    assert again.fence > mine[0].fence


@on_database
async def test_a_finish_forgets_the_workers_that_were_lost(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a")
        await claim(tx, docs)
        heirs = await claim(tx, docs, now=at(1))
        await change(tx, docs, "a", when=at(1.5))
        await settle(tx, docs, heirs, now=at(1.5))
        assert (await items(tx, docs))["a"]["lost_claims"] == 0


@on_database
async def test_a_release_makes_it_available_and_spends_nothing(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a")
        before = (await items(tx, docs))["a"]
        mine = await claim(tx, docs)
        assert await work_queue.release(tx, docs.id, mine, now=at(0)) == 1
        assert (await items(tx, docs))["a"] == before
        assert await work_queue.release(tx, docs.id, mine) == 0


@on_database
async def test_a_release_by_a_late_worker_gives_nothing_back(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a")
        late = await claim(tx, docs, owner="late")
        await claim(tx, docs, owner="heir", now=at(1))
        assert await work_queue.release(tx, docs.id, late) == 0
        assert (await items(tx, docs))["a"]["lease_owner"] == "heir"


@on_database
async def test_a_row_deleted_and_made_anew_never_lets_the_late_fence_through(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a")
        late = await claim(tx, docs, owner="late")
        await settle(tx, docs, await claim(tx, docs, owner="heir", now=at(1)))
        for round_ in range(3):
            await put(tx, docs, "a")
            assert await work_queue.lock_claims(tx, docs.id, late) == set()
            current = await claim(tx, docs, owner=f"heir-{round_}")
            assert await work_queue.lock_claims(tx, docs.id, late) == set()
            assert await settle(tx, docs, current) == {"a"}


@on_database
async def test_a_settle_that_waited_for_its_heirs_claim_is_refused(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a")
        late = await claim(tx, docs, owner="late")
    refused: list[bool] = []

    async def settle_late() -> None:
        async with db.transaction() as tx:
            refused.append(await work_queue.lock_claims(tx, docs.id, late) == set())

    async with anyio.create_task_group() as tasks, db.transaction() as tx:
        assert keys(await claim(tx, docs, owner="heir", now=at(1))) == ["a"]
        tasks.start_soon(settle_late)
        await waiting_for_a_lock(db)
    assert refused == [True]


@on_database
async def test_settles_of_the_same_items_in_opposite_order_do_not_deadlock(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a", "b", "c")
        mine = await claim(tx, docs)

    async def settle_backwards() -> None:
        async with db.transaction() as tx:
            await work_queue.lock_claims(tx, docs.id, mine[::-1])

    async with anyio.create_task_group() as tasks, db.transaction() as tx:
        await work_queue.lock_claims(tx, docs.id, mine[:1])
        tasks.start_soon(settle_backwards)
        await waiting_for_a_lock(db)
        # Had the other locked "c" first, each would now wait for the other.
        assert await work_queue.lock_claims(tx, docs.id, mine[1:]) == {"b", "c"}


@on_database
async def test_a_fold_and_a_settle_of_the_same_items_do_not_deadlock(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a", "b", "c")
        mine = await claim(tx, docs)
        await arrive(tx, docs, "c", "b", "a")

    async def fold() -> None:
        async with db.transaction() as tx:
            assert (await work_queue.fold(tx, docs.id)).arrivals == 3

    async with anyio.create_task_group() as tasks, db.transaction() as tx:
        await work_queue.lock_claims(tx, docs.id, mine[:1])
        tasks.start_soon(fold)
        await waiting_for_a_lock(db)
        assert await work_queue.lock_claims(tx, docs.id, mine[1:]) == {"b", "c"}
