"""How objectives stand: of the ledger now and at each hour, told honestly where there is less history than was asked for."""

from datetime import datetime, timedelta

import pytest

from embedding_assets.domain.counts import Counts
from embedding_assets.domain.slo import FRESHNESS, LATENCY, SUCCESS
from embedding_assets.pipeline.objectives import Standing, standings, take_stock
from embedding_assets.store import ledger
from embedding_assets.store.database import Database
from embedding_assets.telemetry.durable import CHANGES, DOCUMENT_DURATION, FRESHNESS_SLA_DOCUMENTS
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.queue import NOON


async def _count(db: Database, *, met: int = 0, missed: int = 0, collection: str = "docs") -> None:
    counts = Counts()
    FRESHNESS_SLA_DOCUMENTS.add(counts, collection, "met", by=met)
    FRESHNESS_SLA_DOCUMENTS.add(counts, collection, "missed", by=missed)
    await db.atomically(lambda tx: ledger.enter(tx, counts))


async def _freshness(db: Database, when: datetime, *, days: float = 30, collection: str | None = None) -> Standing:
    return (await standings(db, days=days, collection=collection, now=when))[0]


@on_database
async def test_a_young_ledger_is_told_whole_and_says_so(db: Database) -> None:
    await _count(db, met=97, missed=3)
    one = await _freshness(db, NOON)
    assert (one.objective, one.spent.total, one.spent.bad, one.since) == (FRESHNESS, 100, 3, None)
    assert one.over == "all that was counted"
    assert one.budget_left == pytest.approx(-2)
    assert one.burns["1h"] == pytest.approx(3)


@on_database
async def test_a_window_is_the_difference_to_the_stock_before_it(db: Database) -> None:
    await _count(db, met=500, missed=500)
    await take_stock(db, now=NOON)
    await _count(db, met=99, missed=1)
    await take_stock(db, now=NOON + timedelta(days=8))
    await _count(db, met=100)
    one = await _freshness(db, NOON + timedelta(days=9), days=7)
    assert (one.spent.total, one.spent.bad, one.since) == (200, 1, NOON)
    assert one.burns["1d"] == 0
    assert one.budget_left == pytest.approx(0.5)


@on_database
async def test_an_hour_has_one_stock_however_many_take_it(db: Database) -> None:
    await _count(db, met=10)
    await take_stock(db, now=NOON)
    await _count(db, met=10)
    for minute in (1, 30, 59):
        await take_stock(db, now=NOON + timedelta(minutes=minute))
    one = await _freshness(db, NOON + timedelta(minutes=59), days=0.01)
    assert (one.since, one.spent.total) == (NOON, 10)


@on_database
async def test_one_collection_is_told_apart_from_the_others(db: Database) -> None:
    await make_collection(db, "docs")
    await _count(db, met=9, missed=1)
    await _count(db, met=90, collection="others")
    assert (await _freshness(db, NOON)).spent.total == 100
    assert (await _freshness(db, NOON, collection="docs")).spent.bad == 1
    assert (await _freshness(db, NOON, collection="docs")).spent.total == 10


@on_database
async def test_latency_counts_documents_above_thirty_seconds_and_success_changes_that_failed(db: Database) -> None:
    counts = Counts()
    for seconds in (0.2, 29.0, 30.0, 30.1, 400.0):
        DOCUMENT_DURATION.observe(counts, seconds, "docs", "included")
        DOCUMENT_DURATION.observe(counts, 1.0, "docs", "excluded")
    CHANGES.add(counts, "docs", "success", by=7)
    CHANGES.add(counts, "docs", "failure", by=2)
    await db.atomically(lambda tx: ledger.enter(tx, counts))
    _, success, latency = await standings(db, now=NOON)
    assert (success.objective, success.spent.total, success.spent.bad) == (SUCCESS, 9, 2)
    assert (latency.objective, latency.spent.total, latency.spent.bad) == (LATENCY, 5, 2)


@on_database
async def test_without_events_nothing_is_spent_and_no_burn_is_known(db: Database) -> None:
    for one in await standings(db, now=NOON):
        assert (one.spent.error_ratio, one.budget_left, set(one.burns.values())) == (None, 1, {None})


@on_database
async def test_what_is_older_than_two_windows_is_forgotten(db: Database) -> None:
    await _count(db, met=1)
    for days in (0, 30, 61, 92):
        await take_stock(db, now=NOON + timedelta(days=days))
    async with db.transaction() as tx:
        rows = await (
            await tx.execute("SELECT DISTINCT taken_at FROM embedding_assets.objective_stock ORDER BY 1")
        ).fetchall()
    assert [row[0] for row in rows] == [NOON + timedelta(days=days) for days in (61, 92)]


@on_database
async def test_a_ledger_that_stepped_back_after_a_restore_tells_nothing_below_nothing(db: Database) -> None:
    await _count(db, met=50, missed=5)
    await take_stock(db, now=NOON)
    async with db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.metric_counters SET value = value / 5")
    one = await _freshness(db, NOON + timedelta(hours=2), days=0.05)
    assert (one.spent.total, one.spent.bad, one.budget_left) == (0, 0, 1)
