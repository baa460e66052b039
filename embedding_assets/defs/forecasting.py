"""The asset `capacity_forecast` of a collection, and its daily job: what runs out when, as numbers, table and plot.

Limits, disk and connections are shared, so the forecast is of everything in the database, whichever collection asks.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from embedding_assets import runtime
from embedding_assets.collections_file import CollectionEntry
from embedding_assets.defs import names
from embedding_assets.defs.interruption import run_interruptibly
from embedding_assets.defs.resources import PrometheusMetrics, Workbenches, clear_failures
from embedding_assets.domain.capacity import HORIZONS, CapacityReport
from embedding_assets.domain.capacity_table import COLUMNS, arrivals_sentence, rows
from embedding_assets.domain.forecast import Projection
from embedding_assets.pipeline.forecasting import forecast_capacity

# The end of the day by which standings are kept; a later tick still counts, by the time that passed.
_LATE = "55 23 * * *"


def build_forecasting(collection: str, entry: CollectionEntry, time_limit: Mapping[str, str]) -> dg.Definitions:
    """The asset, its job and schedule."""
    spec = dg.AssetSpec(
        names.capacity_forecast_key(collection),
        group_name=collection,
        owners=names.valid_owners(entry.owner),
        kinds={"postgres"},
        description="When limit, workers, disk, memory, connections and budget run out, by what arrived so far. "
        "Keeps each day's standings, so it should run once a day.",
    )

    @dg.multi_asset(name=f"{collection}__forecast", specs=[spec])
    def capacity_forecast(
        workbenches: dg.ResourceParam[Workbenches],
        embedding_metrics: dg.ResourceParam[PrometheusMetrics],
    ) -> Iterator[dg.MaterializeResult[Any]]:
        with clear_failures(), embedding_metrics.recorded("capacity_forecast", collection):
            report = run_interruptibly(_forecast(workbenches))
        yield dg.MaterializeResult(asset_key=spec.key, metadata=forecast_metadata(collection, report))

    job = dg.define_asset_job(
        names.capacity_forecast_job(collection),
        selection=[capacity_forecast],
        description="Keeps what everything stands at today, and forecasts when what there is runs out.",
        tags=dict(time_limit),
        executor_def=dg.in_process_executor,
    )
    daily = dg.ScheduleDefinition(
        name=f"{collection}__daily_forecast",
        job=job,
        cron_schedule=_LATE,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="At the end of each day, UTC.",
    )
    return dg.Definitions(assets=[capacity_forecast], jobs=[job], schedules=[daily])


def forecast_metadata(collection: str, report: CapacityReport) -> dict[str, dg.MetadataValue]:
    """Numbers that Dagster plots over time, the table, and the plot."""
    # Drawing costs a second of imports, which loading the code location need not pay.
    from embedding_assets.defs.capacity_plot import capacity_figure  # noqa: PLC0415
    from embedding_assets.defs.plots import as_markdown  # noqa: PLC0415

    own = report.by_collection.get(collection)
    sentences = [arrivals_sentence("all collections", report.arrivals)]
    sentences += [arrivals_sentence(collection, own)] if own else []
    return {
        "forecast": as_markdown(capacity_figure(report), "capacity forecast"),
        "outlook": dg.MetadataValue.md(_table(report)),
        "arrivals": dg.MetadataValue.text("\n".join(sentences)),
        "history_days": dg.MetadataValue.int(report.history.known if report.history else 0),
        **{name: dg.MetadataValue.float(round(value, 3)) for name, value in _numbers(report).items()},
    }


def _table(report: CapacityReport) -> str:
    sides = " | ".join("---:" if side == "right" else "---" for side in COLUMNS.values())
    lines = [" | ".join(COLUMNS), sides, *(" | ".join(row) for row in rows(report))]
    return "\n".join(f"| {line} |" for line in lines)


def _numbers(report: CapacityReport) -> dict[str, float]:
    numbers: dict[str, float] = {}
    if isinstance(report.arrivals, Projection):
        for days in HORIZONS:
            numbers[f"arrivals_per_day_in_{days}_days"] = report.arrivals.week_before(days)[1]
        if report.arrivals.backtest:
            numbers["backtest_error_percent"] = 100 * report.arrivals.backtest.error
    for one in report.outlooks:
        if one.used is not None and one.capacity:
            numbers[f"{one.resource}_used_percent"] = 100 * one.used / one.capacity
        if one.runs_out is not None:
            numbers[f"{one.resource}_days_left"] = float((one.runs_out - report.made_at.date()).days)
    return numbers


async def _forecast(workbenches: Workbenches) -> CapacityReport:
    settings = workbenches.settings
    groups = {name: entry.run_groups for name, entry in runtime.collections_file(settings).collections.items()}
    async with workbenches.database() as db:
        return await forecast_capacity(db, run_groups=groups, disk_bytes=settings.database_disk_bytes)
