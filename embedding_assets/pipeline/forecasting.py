"""The forecast: write what everything stands at today, read what it stood at before, keep what comes of it.

Not here: the arithmetic (domain/capacity), who asks for it (defs, cli). Safe to repeat: today's standings are replaced.
"""

from collections.abc import Mapping
from datetime import date

from embedding_assets.domain.capacity import HORIZONS, CapacityReport, Facts, Outlook, assess
from embedding_assets.domain.daily import Record
from embedding_assets.domain.forecast import Projection
from embedding_assets.domain.throughput import Ceiling, CollectionFacts
from embedding_assets.store import collections, daily_stats, forecasts, rate_limiter, source_listings
from embedding_assets.store.collections import AppliedCollection
from embedding_assets.store.database import Database, Tx
from embedding_assets.store.forecasts import ForecastRow
from embedding_assets.store.rate_limiter import BudgetUse

_NAMES = (
    "embedding_api_requests_total",
    "embedding_changes_total",
    "embedding_chunks_processed_total",
    "embedding_chunks_reused_total",
    "embedding_cost_usd_total",
    "embedding_document_duration_seconds_sum",
    "embedding_documents_processed_total",
    "embedding_run_duration_seconds_sum",
    "embedding_stage_duration_seconds_sum",
    "embedding_tokens_total",
    "connections",
    "database_bytes",
    "index_bytes",
    "live_queue",
)


async def forecast_capacity(db: Database, *, run_groups: Mapping[str, int], disk_bytes: float | None) -> CapacityReport:
    """Make and keep a forecast for everything in the database. `run_groups`: runs side by side, by collection; 1 for others."""
    await db.atomically(daily_stats.write)
    async with db.transaction() as tx:
        facts = await _facts(tx, run_groups, disk_bytes)
        now = await source_listings.server_time(tx)
    report = assess(facts, now)
    async with db.transaction() as tx:
        await forecasts.write(tx, now, _rows(report))
    return report


async def _facts(tx: Tx, run_groups: Mapping[str, int], disk_bytes: float | None) -> Facts:
    found = [await collections.find(tx, name) for name in await collections.names(tx)]
    applied = [one for one in found if one is not None]
    consumers = {(one.limit_name, one.limit_consumer) for one in applied}
    limits = await rate_limiter.limit_use(tx)
    server = await daily_stats.bounds(tx)
    return Facts(
        record=Record(await daily_stats.standings(tx, _NAMES)),
        collections=[
            CollectionFacts(one.name, one.model.name, one.limit_name, run_groups.get(one.name, 1)) for one in applied
        ],
        ceilings=[
            Ceiling(one.limit, one.resource, one.ceiling) for one in limits if (one.limit, one.consumer) in consumers
        ],
        disk_bytes=disk_bytes,
        cache_bytes=server.cache_bytes,
        connections=server.connections,
        month_usd=_month_usd(applied, await rate_limiter.budget_use(tx)),
    )


def _month_usd(applied: list[AppliedCollection], budgets: list[BudgetUse]) -> float | None:
    """What all may spend in a month, by their own budgets or their limit's; None where one may spend what it likes."""
    most = {(one.kind, one.holder): one.most for one in budgets if (one.period, one.unit) == ("month", "usd")}
    total = 0.0
    for limit in sorted({one.limit_name or "" for one in applied}):
        own = [most.get(("collection", one.name)) for one in applied if (one.limit_name or "") == limit]
        together = None if None in own else sum(one for one in own if one is not None)
        known = [one for one in (together, most.get(("limit", limit))) if one is not None]
        if not known:
            return None
        total += min(known)
    return total if applied else None


def _rows(report: CapacityReport) -> list[ForecastRow]:
    rows: list[ForecastRow] = []
    if isinstance(report.arrivals, Projection):
        hourly = {days: report.arrivals.week_before(days) for days in HORIZONS}
        rows = [
            ForecastRow("arrivals", days, low / 24, estimate / 24, high / 24, None, None, None)
            for days, (low, estimate, high) in hourly.items()
        ]
    return rows + [row for outlook in report.outlooks for row in _rows_of(outlook)]


def _rows_of(outlook: Outlook) -> list[ForecastRow]:
    kept: tuple[float | None, date | None, date | None] = (outlook.capacity, outlook.runs_out, outlook.earliest)
    none = (None, None, None)
    return [ForecastRow(outlook.resource, days, *outlook.ahead.get(days, none), *kept) for days in HORIZONS]
