"""The latest forecast is the one that is shown; too old, it is none."""

from datetime import date, timedelta

import psycopg
import pytest

from embedding_assets.store import forecasts
from embedding_assets.store.database import Database
from embedding_assets.store.forecasts import ForecastRow
from embedding_assets_tests.support.database import on_database
from embedding_assets_tests.support.queue import NOON

LIMIT = ForecastRow("rate_limit", 30, 1.0, 2.0, 3.0, 2.5, date(2026, 5, 1), date(2026, 4, 1))


@on_database
async def test_the_last_one_is_read_back_as_it_was_made(db: Database) -> None:
    unknown = ForecastRow("disk", 30, None, None, None, None, None, None)
    async with db.transaction() as tx:
        await forecasts.write(tx, NOON, [ForecastRow("disk", 7, 0, 1, 2, 3, None, None)])
        await forecasts.write(tx, NOON + timedelta(days=1), [LIMIT, unknown])
        disk, limit = await forecasts.latest(tx, now=NOON + timedelta(days=2))
    assert (disk.resource, disk.days, disk.estimate, disk.exhausted_at) == ("disk", 30, None, None)
    assert (limit.resource, limit.low, limit.estimate, limit.high, limit.capacity) == ("rate_limit", 1, 2, 3, 2.5)
    assert limit.exhausted_at is not None
    assert limit.exhausted_at.timestamp() == 1_777_593_600


@on_database
async def test_a_forecast_that_is_a_week_old_is_none(db: Database) -> None:
    async with db.transaction() as tx:
        await forecasts.write(tx, NOON, [LIMIT])
        assert await forecasts.latest(tx, now=NOON + timedelta(days=6))
        assert not await forecasts.latest(tx, now=NOON + timedelta(days=8))


@on_database
async def test_an_estimate_outside_its_band_is_refused(db: Database) -> None:
    async with db.transaction() as tx:
        with pytest.raises(psycopg.errors.CheckViolation):
            await forecasts.write(tx, NOON, [ForecastRow("disk", 7, 5, 1, 2, 3, None, None)])
