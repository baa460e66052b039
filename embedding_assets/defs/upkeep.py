"""The nightly job of a collection: vectors that nobody holds are collected, a missing index is built."""

from collections.abc import Mapping
from dataclasses import asdict

import dagster as dg

from embedding_assets.defs import names
from embedding_assets.defs.interruption import run_interruptibly
from embedding_assets.defs.resources import PrometheusMetrics, Workbenches, clear_failures
from embedding_assets.pipeline.maintain import UpkeepOutcome, maintain


def build_upkeep(collection: str, time_limit: Mapping[str, str]) -> dg.Definitions:
    """The job and its schedule."""

    @dg.op(name=f"{collection}__maintain")
    def maintain_stored(
        context: dg.OpExecutionContext,
        workbenches: dg.ResourceParam[Workbenches],
        embedding_metrics: dg.ResourceParam[PrometheusMetrics],
    ) -> None:
        with clear_failures(), embedding_metrics.recorded("maintain_index", collection):
            outcome = run_interruptibly(_maintain(workbenches, collection, context.run_id))
        numbers = asdict(outcome)
        context.add_output_metadata({**numbers.pop("index"), **numbers})

    @dg.job(
        name=names.maintain_job(collection),
        description="Deletes vectors that no document holds any more, and builds the HNSW index where it is missing.",
        tags=dict(time_limit),
        executor_def=dg.in_process_executor,
    )
    def maintain_index() -> None:
        maintain_stored()

    nightly = dg.ScheduleDefinition(
        name=f"{collection}__nightly_upkeep",
        job=maintain_index,
        cron_schedule="37 3 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Collects vectors that nobody holds and sees to the index.",
    )
    return dg.Definitions(jobs=[maintain_index], schedules=[nightly])


async def _maintain(workbenches: Workbenches, collection: str, run_id: str) -> UpkeepOutcome:
    async with workbenches.open(collection, run_id=run_id) as bench:
        return await maintain(bench, grace_seconds=workbenches.settings.vector_grace_seconds)
