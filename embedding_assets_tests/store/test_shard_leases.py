"""Which run works a shard: one at a time, whatever the orchestrator does."""

from datetime import timedelta

from embedding_assets.store import shard_leases
from embedding_assets.store.database import Database, Tx
from embedding_assets_tests.support.collections import MadeCollection, make_collection
from embedding_assets_tests.support.database import on_database


async def _lease(tx: Tx, collection: MadeCollection, shards: range, owner: str, seconds: float = 60) -> list[int]:
    return await shard_leases.lease_shards(tx, collection.id, shards, owner=owner, lease_seconds=seconds)


@on_database
async def test_a_shard_is_leased_to_one_run_and_the_rest_to_the_other(db: Database) -> None:
    docs, others = await make_collection(db), await make_collection(db, "others")
    async with db.transaction() as tx:
        assert await _lease(tx, docs, range(10), "first") == list(range(10))
        assert await _lease(tx, docs, range(16), "second") == list(range(10, 16))
        assert await _lease(tx, others, range(16), "second") == list(range(16))


@on_database
async def test_runs_that_start_at_once_share_the_shards_without_waiting(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await _lease(tx, docs, range(16), "past")
        await shard_leases.free_shards(tx, docs.id, owner="past")
    async with db.transaction() as first, db.transaction() as second:
        await second.execute("SET LOCAL lock_timeout = '5s'")
        assert await _lease(first, docs, range(8), "first") == list(range(8))
        assert await _lease(second, docs, range(16), "second") == list(range(8, 16))


@on_database
async def test_a_run_that_asks_again_keeps_its_shards(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await _lease(tx, docs, range(4), "first")
        assert await _lease(tx, docs, range(8), "first") == list(range(8))


@on_database
async def test_an_expired_lease_goes_to_the_next_run(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await _lease(tx, docs, range(2), "killed", seconds=-1)
        await _lease(tx, docs, range(2, 4), "alive")
        assert await _lease(tx, docs, range(4), "heir") == [0, 1]
        assert await shard_leases.extend_shards(tx, docs.id, owner="killed", lease_seconds=60) == []


@on_database
async def test_a_heartbeat_lengthens_and_names_the_shards_it_still_has(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await _lease(tx, docs, range(3), "first", seconds=1)
        assert await shard_leases.extend_shards(tx, docs.id, owner="first", lease_seconds=3600) == [0, 1, 2]
        rows = await tx.execute("SELECT expires_at - clock_timestamp() FROM embedding_assets.shard_leases")
        assert all(left > timedelta(minutes=30) for (left,) in await rows.fetchall())


@on_database
async def test_a_run_that_ends_frees_its_own_shards_only(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await _lease(tx, docs, range(8), "first")
        await _lease(tx, docs, range(8, 16), "second")
        await shard_leases.free_shards(tx, docs.id, owner="first")
        assert await _lease(tx, docs, range(16), "third") == list(range(8))
