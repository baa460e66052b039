"""Once a day everything's standing is written: again on the same day replaces it, and old days are forgotten."""

from datetime import timedelta

from embedding_assets.domain.counts import Counts
from embedding_assets.domain.work import Lane
from embedding_assets.store import daily_stats, ledger
from embedding_assets.store.database import Database
from embedding_assets.telemetry.durable import DOCUMENTS_PROCESSED
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.queue import NOON, arrive, put

DOCUMENTS = DOCUMENTS_PROCESSED.name


async def stand_at(db: Database, name: str, *labels: str) -> list[float]:
    async with db.transaction() as tx:
        found = await daily_stats.standings(tx, [name])
    return [row.value for row in found.get((name, labels), [])]


async def add(db: Database, value: float) -> None:
    counts = Counts()
    DOCUMENTS_PROCESSED.add(counts, "docs", "success", by=value)
    async with db.transaction() as tx:
        for shard in range(3):
            await ledger.enter(tx, counts, shard=shard)


@on_database
async def test_counters_are_written_whole_and_once_more_replaces_them(db: Database) -> None:
    await add(db, 10)
    async with db.transaction() as tx:
        await daily_stats.write(tx, now=NOON)
    await add(db, 1)
    async with db.transaction() as tx:
        await daily_stats.write(tx, now=NOON + timedelta(hours=11))
    assert await stand_at(db, DOCUMENTS, "docs", "success") == [33.0]


@on_database
async def test_the_day_is_that_of_utc(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute("SET LOCAL TIME ZONE 'Pacific/Kiritimati'")
        await daily_stats.write(tx, now=NOON + timedelta(hours=11, minutes=55))
        await daily_stats.write(tx, now=NOON + timedelta(hours=12, minutes=5))
        [before, after] = (await daily_stats.standings(tx, ["database_bytes"]))["database_bytes", ()]
    assert (before.day, after.day) == (NOON.date(), NOON.date() + timedelta(days=1))


@on_database
async def test_a_missed_day_leaves_no_row_and_the_next_is_written(db: Database) -> None:
    for days in (0, 3):
        await add(db, 5)
        async with db.transaction() as tx:
            await daily_stats.write(tx, now=NOON + timedelta(days=days))
    assert await stand_at(db, DOCUMENTS, "docs", "success") == [15.0, 30.0]


@on_database
async def test_what_is_400_days_old_is_forgotten(db: Database) -> None:
    await add(db, 5)
    for days in (0, 5, 404):
        async with db.transaction() as tx:
            await daily_stats.write(tx, now=NOON + timedelta(days=days))
    assert len(await stand_at(db, DOCUMENTS, "docs", "success")) == 2


@on_database
async def test_the_live_queue_counts_what_was_not_folded_yet_and_no_backfill(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await put(tx, docs, "a", "b")
        await put(tx, docs, "c", lane=Lane.BACKFILL)
        await arrive(tx, docs, "d")
        await daily_stats.write(tx)
    assert await stand_at(db, "live_queue", "docs") == [3.0]


@on_database
async def test_sizes_of_every_collection_are_written_and_what_the_server_has_is_told(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        await daily_stats.write(tx)
        server = await daily_stats.bounds(tx)
    [table] = await stand_at(db, "table_bytes", "docs", docs.table.model.name)
    [database] = await stand_at(db, "database_bytes")
    [connections] = await stand_at(db, "connections")
    assert 0 < table < database
    assert 0 < connections < server.connections
    assert server.cache_bytes > 2**20
