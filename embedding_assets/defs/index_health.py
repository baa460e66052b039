"""The asset `index_health` of a collection, and its daily job: how large, valid, exact and bloated its vector index is."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from embedding_assets.collections_file import CollectionEntry
from embedding_assets.defs import names
from embedding_assets.defs.interruption import run_interruptibly
from embedding_assets.defs.resources import PrometheusMetrics, Workbenches, clear_failures
from embedding_assets.domain.index_health import IndexHealth
from embedding_assets.pipeline.index_health import look


def build_index_health(collection: str, entry: CollectionEntry, time_limit: Mapping[str, str]) -> dg.Definitions:
    """The asset, its job and schedule."""
    spec = dg.AssetSpec(
        names.index_health_key(collection),
        group_name=collection,
        owners=names.valid_owners(entry.owner),
        kinds={"postgres"},
        description="The vector index: its size beside the server's memory, whether it is valid, what it finds of what exact "
        "search finds, and how much of it is dead.",
    )

    @dg.multi_asset(name=f"{collection}__look_at_index", specs=[spec])
    def index_health(
        workbenches: dg.ResourceParam[Workbenches],
        embedding_metrics: dg.ResourceParam[PrometheusMetrics],
    ) -> Iterator[dg.MaterializeResult[Any]]:
        with clear_failures(), embedding_metrics.recorded("index_health", collection):
            health = run_interruptibly(_look(workbenches, collection))
        yield dg.MaterializeResult(asset_key=spec.key, metadata=health_metadata(health))

    job = dg.define_asset_job(
        names.index_health_job(collection),
        selection=[index_health],
        description="Looks at the vector index.",
        tags=dict(time_limit),
        executor_def=dg.in_process_executor,
    )
    daily = dg.ScheduleDefinition(
        name=f"{collection}__daily_index_health",
        job=job,
        # After the nightly upkeep, which builds what is missing.
        cron_schedule="37 5 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Looks at the vector index once a day.",
    )
    return dg.Definitions(assets=[index_health], jobs=[job], schedules=[daily])


def health_metadata(health: IndexHealth | None) -> dict[str, dg.MetadataValue]:
    """Numbers that Dagster plots over time, and what to do."""
    if health is None:
        return {"state": dg.MetadataValue.text("nothing is stored yet")}
    sizes = {
        "index_megabytes": health.index_bytes,
        "table_megabytes": health.table_bytes,
        "build_needs_megabytes": health.graph_bytes,
        "maintenance_work_mem_megabytes": health.maintenance_memory,
        "shared_buffers_megabytes": health.shared_buffers,
        "effective_cache_size_megabytes": health.cache,
    }
    state = "none: exact order is used" if health.valid is None else "valid" if health.valid else "not valid"
    numbers = {name: size / 1e6 for name, size in sizes.items()} | {"dead_rows_percent": 100 * health.dead_part}
    if health.recall is not None:
        numbers["recall_at_10"] = health.recall
    return {
        "index": dg.MetadataValue.text(state),
        "advice": dg.MetadataValue.text("\n".join(health.advice) or "all is well"),
        "vectors": dg.MetadataValue.int(int(health.rows)),
        **{name: dg.MetadataValue.float(round(float(value), 3)) for name, value in numbers.items()},
    }


async def _look(workbenches: Workbenches, collection: str) -> IndexHealth | None:
    async with workbenches.database() as db:
        return await look(db, collection)
