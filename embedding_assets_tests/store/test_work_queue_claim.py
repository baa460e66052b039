"""Claims: disjoint, leased, fenced; an expired lease is taken over and counted, a document that kills workers comes alone."""

from datetime import timedelta

import anyio

from embedding_assets.domain.documents import shard_of
from embedding_assets.domain.work import Lane
from embedding_assets.store import work_queue
from embedding_assets.store.database import Database
from embedding_assets.store.work_queue import Pick
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.queue import ALL_SHARDS, NOON, arrive, at, claim, items, keys, put


@on_database
async def test_a_claim_returns_the_item_as_it_stands_in_the_queue(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a")
        [item] = await claim(tx, docs, owner="run-1", lease_seconds=60)
        row = (await items(tx, docs))["a"]
    assert (item.document_key, item.shard, item.lane) == ("a", shard_of("a"), Lane.LIVE)
    assert (item.first_enqueued_at, item.lost_claims) == (NOON, 0)
    assert (item.fence, item.generation) == (row["fence"], row["generation"])
    assert (row["lease_owner"], row["claimed_at"], row["available_at"]) == ("run-1", NOON, at(1))
    assert row["claimed_generation"] == row["generation"]


@on_database
async def test_claims_at_once_are_disjoint_and_together_everything(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, *(f"document-{n}" for n in range(300)))
    claimed: list[str] = []

    async def work(owner: str) -> None:
        while True:
            async with db.transaction() as tx:
                got = await claim(tx, docs, owner=owner, items=13)
            if not got:
                return
            claimed.extend(keys(got))

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(work, f"worker-{number}")
    assert len(claimed) == len(set(claimed)) == 300


@on_database
async def test_a_claim_does_not_wait_for_one_that_is_not_committed(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a", "b", "c")
    async with db.transaction() as first, db.transaction() as second:
        await second.execute("SET LOCAL lock_timeout = '5s'")
        mine = await claim(first, docs, items=2)
        rest = await claim(second, docs, items=3)
    assert sorted(keys(mine) + keys(rest)) == ["a", "b", "c"]
    assert len(rest) == 1


@on_database
async def test_a_claim_takes_no_more_than_asked_over_all_shards_together(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, *(f"document-{n}" for n in range(100)))
        assert len(await claim(tx, docs, items=7)) == 7
        leased = [row for row in (await items(tx, docs)).values() if row["lease_owner"]]
        assert len(leased) == 7


@on_database
async def test_a_claim_stays_within_its_shards_and_its_lane(db: Database) -> None:
    docs = await make_collection(db)
    names = [f"document-{n}" for n in range(60)]
    async with db.transaction() as tx:
        await put(tx, docs, *names[:30], lane=Lane.LIVE)
        await put(tx, docs, *names[30:], lane=Lane.BACKFILL)
        live = await claim(tx, docs, lane=Lane.LIVE, shards=[0, 1, 2])
        backfill = await claim(tx, docs, lane=Lane.BACKFILL, shards=ALL_SHARDS)
    assert keys(live) == sorted(name for name in names[:30] if shard_of(name) in {0, 1, 2})
    assert keys(backfill) == sorted(names[30:])


@on_database
async def test_the_oldest_of_a_shard_comes_first(db: Database) -> None:
    docs = await make_collection(db)
    same_shard = [name for name in (f"document-{n}" for n in range(200)) if shard_of(name) == 5][:4]
    async with db.transaction() as tx:
        for minutes, name in zip((3, 1, 4, 2), same_shard, strict=True):
            await arrive(tx, docs, name)
            await work_queue.fold(tx, docs.id, now=at(minutes))
        [first] = await claim(tx, docs, items=1, now=at(10))
        [second] = await claim(tx, docs, items=1, now=at(10))
    assert [first.document_key, second.document_key] == [same_shard[1], same_shard[3]]


@on_database
async def test_a_claimed_item_is_nobody_elses_until_its_lease_ends(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a")
        await claim(tx, docs, lease_seconds=60)
        assert await claim(tx, docs, now=NOON + timedelta(seconds=59)) == []


@on_database
async def test_an_expired_lease_is_claimable_by_another_worker_under_a_new_fence(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a")
        [first] = await claim(tx, docs, owner="killed")
        [second] = await claim(tx, docs, owner="heir", now=at(1))
        row = (await items(tx, docs))["a"]
    assert second.fence > first.fence
    assert (second.lost_claims, row["lost_claims"], row["lease_owner"]) == (1, 1, "heir")


@on_database
async def test_the_late_worker_holds_nothing_any_more(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a", "b")
        late = await claim(tx, docs, owner="late")
        [heirs] = await claim(tx, docs, owner="heir", now=at(1), items=1)
        assert await work_queue.lock_claims(tx, docs.id, late) == {"a", "b"} - {heirs.document_key}
        assert await work_queue.lock_claims(tx, docs.id, [heirs]) == {heirs.document_key}


@on_database
async def test_what_lost_two_workers_is_claimed_apart_and_only_there(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "killer")
        await claim(tx, docs, now=at(0))
        [taken_over] = await claim(tx, docs, now=at(1))
        await put(tx, docs, "neighbour")
        assert keys(await claim(tx, docs, now=at(2))) == ["neighbour"]
        [suspect] = await claim(tx, docs, now=at(2), suspects=True)
        assert await claim(tx, docs, now=at(2), suspects=True) == []
    assert taken_over.lost_claims == 1
    assert (suspect.document_key, suspect.lost_claims) == ("killer", 2)


@on_database
async def test_a_suspect_that_kills_again_has_lost_three(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "killer")
        for minute in range(2):
            await claim(tx, docs, now=at(minute))
        await claim(tx, docs, now=at(2), suspects=True)
        [item] = await claim(tx, docs, now=at(3), suspects=True)
        assert item.lost_claims == 3


@on_database
async def test_a_heartbeat_lengthens_a_lease_but_never_beyond_the_longest_claim(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a")
        mine = await claim(tx, docs, lease_seconds=60)
        for minutes, ends in ((0.5, 1.5), (1, 2), (9.5, 10), (11, 10)):
            extended = await work_queue.extend(
                tx, docs.id, mine, lease_seconds=60, max_claim_seconds=600, now=at(minutes)
            )
            assert extended == 1
            assert (await items(tx, docs))["a"]["available_at"] == at(ends)
        assert keys(await claim(tx, docs, owner="heir", now=at(10))) == ["a"]


@on_database
async def test_a_heartbeat_touches_only_what_is_still_held(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a", "b")
        late = await claim(tx, docs)
        heirs = await claim(tx, docs, owner="heir", now=at(1), items=1)
        assert await work_queue.extend(tx, docs.id, late, lease_seconds=60, max_claim_seconds=600, now=at(1)) == 1
        assert (await items(tx, docs))[heirs[0].document_key]["lease_owner"] == "heir"


@on_database
async def test_a_heartbeat_does_not_wait_for_a_settle(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a", "b")
        mine = await claim(tx, docs)
    async with db.transaction() as settling, db.transaction() as tx:
        await work_queue.lock_claims(settling, docs.id, mine[:1])
        await tx.execute("SET LOCAL lock_timeout = '5s'")
        assert await work_queue.extend(tx, docs.id, mine, lease_seconds=60, max_claim_seconds=600, now=NOON) == 1


@on_database
async def test_work_is_ready_once_it_may_be_claimed(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a", lane=Lane.BACKFILL)
        assert not await work_queue.has_ready_work(tx, docs.id, ALL_SHARDS, now=at(-1))
        assert await work_queue.has_ready_work(tx, docs.id, ALL_SHARDS, now=at(0))


@on_database
async def test_work_is_ready_in_the_shards_asked_for_or_as_an_arrival_of_any(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a")
        assert await work_queue.has_ready_work(tx, docs.id, [shard_of("a")])
        others = [shard for shard in ALL_SHARDS if shard != shard_of("a")]
        assert not await work_queue.has_ready_work(tx, docs.id, others)
        await arrive(tx, docs, "b")
        assert await work_queue.has_ready_work(tx, docs.id, others)


@on_database
async def test_the_depth_of_the_queue_is_told_by_lane_and_state(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "expired")
        await claim(tx, docs)
        await put(tx, docs, "waiting")
        await put(tx, docs, "leased", lane=Lane.BACKFILL)
        await work_queue.claim(tx, docs.id, ALL_SHARDS, lane=Lane.BACKFILL, items=9, owner="worker", lease_seconds=3600)
        await arrive(tx, docs, "one", "two")
        depth = {(row.lane, row.state): row.documents for row in await work_queue.queue_depth(tx)}
    assert depth == {
        ("live", "expired"): 1,
        ("live", "waiting"): 1,
        ("backfill", "leased"): 1,
        ("live", "arrived"): 2,
    }


@on_database
async def test_a_claim_leaves_what_it_is_told_to(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a", "b")
        left = ["a", "never queued"]
        claimed = await work_queue.claim(
            tx,
            docs.id,
            ALL_SHARDS,
            lane=Lane.LIVE,
            items=2,
            owner="worker",
            lease_seconds=60,
            pick=Pick(leave=left),
            now=NOON,
        )
    assert keys(claimed) == ["b"]
