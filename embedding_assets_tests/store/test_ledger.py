"""The durable ledger: added to in the caller's transaction, spread over rows, never by half."""

import asyncio

import pytest

from embedding_assets.domain.counts import BucketsDiffer, Counts
from embedding_assets.store import ledger
from embedding_assets.store.database import Database
from embedding_assets_tests.support.database import on_database

_BOUNDS = (1.0, 5.0)


def _counted(*series: tuple[str, tuple[str, ...], float]) -> Counts:
    counts = Counts()
    for name, labels, value in series:
        counts.add((name, labels), value)
    return counts


def _observed(*seconds: float, bounds: tuple[float, ...] = _BOUNDS) -> Counts:
    counts = Counts()
    for value in seconds:
        counts.observe(("a_seconds", ("docs",)), bounds, value)
    return counts


@on_database
async def test_a_counter_adds_up_over_shards_and_by_labels(db: Database) -> None:
    async with db.transaction() as tx:
        await ledger.enter(tx, _counted(("a_total", ("docs", "met"), 2), ("a_total", ("docs", "missed"), 0)), shard=0)
        more = _counted(("a_total", ("docs", "met"), 1), ("a_total", ("other, {docs}", ""), 1.5), ("b_total", (), 1))
        await ledger.enter(tx, more, shard=1)
        assert await ledger.totals(tx, "a_total") == {("docs", "met"): 3, ("other, {docs}", ""): 1.5}
        assert await ledger.totals(tx, "b_total") == {(): 1}


@on_database
async def test_a_histogram_adds_up_bucket_by_bucket_over_shards(db: Database) -> None:
    async with db.transaction() as tx:
        await ledger.enter(tx, _observed(0.5, 1.0, 7.25), shard=0)
        await ledger.enter(tx, _observed(2.0), shard=0)
        await ledger.enter(tx, _observed(2.0, 100.0), shard=3)
        read = (await ledger.read(tx)).histograms["a_seconds", ("docs",)]
        assert (read.bounds, read.counts, read.total) == (_BOUNDS, [2, 2, 2], 112.75)


@on_database
async def test_other_bucket_bounds_than_before_are_refused_and_nothing_is_written(db: Database) -> None:
    async with db.transaction() as tx:
        await ledger.enter(tx, _observed(0.5), shard=0)
    both = _observed(0.5, bounds=(1.0, 6.0))
    both.add(("a_total", ()), 1)
    with pytest.raises(BucketsDiffer, match=r"a_seconds .* migrate"):
        async with db.transaction() as tx:
            await ledger.enter(tx, both, shard=0)
    async with db.transaction() as tx:
        assert (await ledger.read(tx)).counters == {}


@on_database
async def test_rows_with_different_bounds_are_never_added_up(db: Database) -> None:
    async with db.transaction() as tx:
        await ledger.enter(tx, _observed(0.5), shard=0)
        await ledger.enter(tx, _observed(0.5, bounds=(1.0, 6.0)), shard=1)
        with pytest.raises(BucketsDiffer):
            await ledger.read(tx)


@on_database
async def test_what_was_rolled_back_was_never_counted_and_is_known_to_be(db: Database) -> None:
    async with db.transaction() as tx:
        gone = await ledger.enter(tx, _counted(("a_total", ("docs",), 1)))
        await tx.execute("ROLLBACK AND CHAIN")
    async with db.transaction() as tx:
        there = await ledger.enter(tx, _counted(("a_total", ("docs",), 5)))
    async with db.transaction() as tx:
        last = await ledger.enter(tx, Counts(), earlier=[gone.transaction, there.transaction])
        assert last.became == {gone.transaction: "aborted", there.transaction: "committed"}
        assert await ledger.totals(tx, "a_total") == {("docs",): 5}


@on_database
async def test_a_gauge_is_kept_as_it_stands_and_a_latest_one_never_goes_back(db: Database) -> None:
    async with db.transaction() as tx:
        for value in (5.0, 3.0):
            await ledger.keep(tx, {("rows", ("docs", "a")): value})
            await ledger.keep_latest(tx, {("changed_at", ("docs",)): value})
        assert (await ledger.read(tx)).latest == {("rows", ("docs", "a")): 3.0, ("changed_at", ("docs",)): 5.0}


@on_database
async def test_many_that_add_to_the_same_series_in_any_order_lose_nothing(db: Database) -> None:
    async def add(turn: int) -> None:
        labels = [f"collection-{number}" for number in range(8)]
        counts = Counts()
        for label in labels[:: -1 if turn % 2 else 1]:
            counts.add(("a_total", (label,)), 1)
            counts.observe(("a_seconds", (label,)), _BOUNDS, 3.0)
        async with db.transaction() as tx:
            await ledger.enter(tx, counts, shard=0)

    await asyncio.gather(*(add(turn) for turn in range(40)))
    async with db.transaction() as tx:
        read = await ledger.read(tx)
        assert set(read.counters.values()) == {40.0}
        assert {tuple(buckets.counts) for buckets in read.histograms.values()} == {(0, 40, 0)}
