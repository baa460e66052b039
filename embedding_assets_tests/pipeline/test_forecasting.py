"""A forecast of what a real database holds: kept for the exporter, and honest on the first day."""

from datetime import timedelta

from embedding_assets.domain.capacity import CapacityReport
from embedding_assets.domain.forecast import Projection, TooLittle
from embedding_assets.pipeline.forecasting import forecast_capacity
from embedding_assets.store import forecasts, source_listings
from embedding_assets.store.database import Database
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.history import write_history


async def made(db: Database) -> CapacityReport:
    return await forecast_capacity(db, run_groups={"docs": 2}, disk_bytes=1e12)


@on_database
async def test_on_the_first_day_it_says_that_history_is_missing(db: Database) -> None:
    await make_collection(db)
    report = await made(db)
    assert report.arrivals == TooLittle(0)
    async with db.transaction() as tx:
        kept = {row.resource: row for row in await forecasts.latest(tx)}
    assert (kept["disk"].estimate, kept["disk"].capacity) == (None, 1e12)
    assert "arrivals" not in kept


@on_database
async def test_after_eight_weeks_arrivals_sizes_and_cost_are_forecast_and_kept(db: Database) -> None:
    await make_collection(db)
    await write_history(db, "docs", days=56, documents_a_day=2400)
    report = await made(db)
    assert isinstance(report.arrivals, Projection)
    assert report.arrivals.backtest is not None
    assert report.arrivals.first == report.made_at.date() + timedelta(days=1)
    async with db.transaction() as tx:
        kept = {(row.resource, row.days): row for row in await forecasts.latest(tx)}
    assert {resource for resource, _ in kept} == {
        "arrivals",
        "rate_limit",
        "workers",
        "storage",
        "disk",
        "index_memory",
        "connections",
        "monthly_cost",
    }
    arrivals = kept["arrivals", 30]
    assert arrivals.estimate is not None
    assert 50 < arrivals.estimate < 250


@on_database
async def test_made_twice_in_a_day_it_replaces_the_days_standings_and_keeps_both_forecasts(db: Database) -> None:
    await make_collection(db)
    await write_history(db, "docs", days=20, documents_a_day=100)
    first, second = await made(db), await made(db)
    assert first.history is not None
    assert second.history is not None
    assert second.history.known == first.history.known
    async with db.transaction() as tx:
        assert await source_listings.server_time(tx) >= second.made_at > first.made_at


@on_database
async def test_a_collection_that_is_gone_leaves_the_others_their_forecast(db: Database) -> None:
    await make_collection(db)
    await make_collection(db, "gone")
    await write_history(db, "docs", days=30, documents_a_day=100)
    await write_history(db, "gone", days=30, documents_a_day=500)
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM embedding_assets.collections WHERE name = 'gone'")
    report = await made(db)
    assert list(report.by_collection) == ["docs"]
    assert isinstance(report.arrivals, Projection)
    assert report.arrivals.week_before(7)[1] < 300
