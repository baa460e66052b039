"""The asset `slo_report` of a collection, and its hourly job: how its objectives stand, as numbers, table and plot.

Not here: how that is found out (pipeline/objectives), what is drawn (slo_plot).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from embedding_assets.collections_file import CollectionEntry
from embedding_assets.defs import names
from embedding_assets.defs.interruption import run_interruptibly
from embedding_assets.defs.resources import PrometheusMetrics, Workbenches, clear_failures
from embedding_assets.domain.slo import WINDOW_DAYS
from embedding_assets.pipeline.objectives import Standing, standings

# Not on the hour, nor with the checks or the re-embedding.
_HOURLY = "7 * * * *"


def build_slo_reports(collection: str, entry: CollectionEntry, time_limit: Mapping[str, str]) -> dg.Definitions:
    """The asset, its job and schedule."""
    spec = dg.AssetSpec(
        names.slo_report_key(collection),
        group_name=collection,
        owners=names.valid_owners(entry.owner),
        kinds={"postgres"},
        description=f"Freshness, success and latency of {WINDOW_DAYS} days against their objectives, and the error budget left.",
    )

    @dg.multi_asset(name=f"{collection}__objectives", specs=[spec])
    def slo_report(
        workbenches: dg.ResourceParam[Workbenches],
        embedding_metrics: dg.ResourceParam[PrometheusMetrics],
    ) -> Iterator[dg.MaterializeResult[Any]]:
        with clear_failures(), embedding_metrics.recorded("slo_report", collection):
            found = run_interruptibly(_standings(workbenches, collection))
        yield dg.MaterializeResult(asset_key=spec.key, metadata=report_metadata(found))

    job = dg.define_asset_job(
        names.slo_report_job(collection),
        selection=[slo_report],
        description="Holds what happened against the objectives.",
        tags=dict(time_limit),
        executor_def=dg.in_process_executor,
    )
    hourly = dg.ScheduleDefinition(
        name=f"{collection}__hourly_objectives",
        job=job,
        cron_schedule=_HOURLY,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Reports how the objectives stand.",
    )
    return dg.Definitions(assets=[slo_report], jobs=[job], schedules=[hourly])


def report_metadata(found: Sequence[Standing]) -> dict[str, dg.MetadataValue]:
    """Numbers that Dagster plots over time, the table, and the plot."""
    # Drawing costs a second of imports, which loading the code location need not pay.
    from embedding_assets.defs.plots import as_markdown  # noqa: PLC0415
    from embedding_assets.defs.slo_plot import budget_figure  # noqa: PLC0415

    numbers: dict[str, dg.MetadataValue] = {}
    for one in found:
        name = one.objective.name
        numbers[f"{name}_events"] = dg.MetadataValue.int(round(one.spent.total))
        numbers[f"{name}_bad"] = dg.MetadataValue.int(round(one.spent.bad))
        numbers[f"{name}_budget_left_percent"] = dg.MetadataValue.float(round(100 * one.budget_left, 3))
        if (burn := one.burns.get("1d")) is not None:
            numbers[f"{name}_burn_1d"] = dg.MetadataValue.float(round(burn, 3))
    return {
        "error_budgets": as_markdown(budget_figure(found), "error budgets left"),
        "objectives": dg.MetadataValue.md(_table(found)),
        **numbers,
    }


def _table(found: Sequence[Standing]) -> str:
    lines = ["| objective | target | events | bad | good | budget left | over |", "|---|---:|---:|---:|---:|---:|---|"]
    for one in found:
        good = "" if one.spent.error_ratio is None else f"{1 - one.spent.error_ratio:.3%}"
        lines.append(
            f"| {one.objective.name} | {one.objective.target:.1%} | {one.spent.total:,.0f} | {one.spent.bad:,.0f} | {good} "
            f"| {one.budget_left:.1%} | {one.over} |"
        )
    return "\n".join(lines)


async def _standings(workbenches: Workbenches, collection: str) -> list[Standing]:
    async with workbenches.database() as db:
        return await standings(db, collection=collection)
