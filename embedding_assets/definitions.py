"""Dagster's entry point: the code location `embedding_assets.definitions`.

`build_defs` is for tests and for code locations of others. Loading connects to nothing and imports no model: it reads
the settings and the collections file. Not here: what the parts are (defs).
"""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from embedding_assets import runtime
from embedding_assets.collections_file import CollectionEntry
from embedding_assets.defs.assets import build_document_assets
from embedding_assets.defs.automation import build_schedules, build_sensors
from embedding_assets.defs.checks import build_stored_checks
from embedding_assets.defs.forecasting import build_forecasting
from embedding_assets.defs.history import build_history
from embedding_assets.defs.index_health import build_index_health
from embedding_assets.defs.jobs import build_jobs
from embedding_assets.defs.names import longest_run_seconds, max_runtime_tag
from embedding_assets.defs.reembedding import build_reembedding
from embedding_assets.defs.resources import (
    METRICS_KEY,
    RESOURCE_KEY,
    PrometheusMetrics,
    PrometheusMetricsResource,
    Workbenches,
    WorkbenchesResource,
)
from embedding_assets.defs.slo_reports import build_slo_reports
from embedding_assets.defs.upkeep import build_upkeep
from embedding_assets.settings import Settings, load_settings


def build_defs(
    *,
    settings: Settings | None = None,
    collections_file: str | Path | None = None,
    resource_overrides: Mapping[str, object] | None = None,
) -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors of every collection in the file.

    Without `settings` they are read from the environment, here and again in the process of each run.
    `collections_file` takes the place of the one the settings name. `resource_overrides` replaces resources by key; ours are
    `workbenches` and `embedding_metrics`. There is no default executor: the whole merges with another project's definitions.

    Raises:
        CollectionsFileError: the file is missing or wrong; the message names key, value and what is allowed.
    """
    chosen = settings or load_settings()
    if collections_file is not None:
        chosen = chosen.model_copy(update={"collections_file": Path(collections_file)})
    explicit = settings is not None or collections_file is not None
    resources: dict[str, object] = {
        RESOURCE_KEY: Workbenches(chosen) if explicit else WorkbenchesResource(),
        METRICS_KEY: PrometheusMetrics(chosen) if explicit else PrometheusMetricsResource(),
    }
    entries = runtime.collections_file(chosen).collections
    return dg.Definitions.merge(
        dg.Definitions(resources={**resources, **(resource_overrides or {})}),
        build_history(list(entries)),
        *(_collection_defs(name, entry, chosen) for name, entry in entries.items()),
    )


def _collection_defs(collection: str, entry: CollectionEntry, settings: Settings) -> dg.Definitions:
    parts = dg.Definitions(
        assets=[build_document_assets(collection, entry, freshness_seconds=settings.freshness_seconds)],
        asset_checks=[build_stored_checks(collection)],
        schedules=build_schedules(collection, entry.run_groups),
        sensors=build_sensors(collection, settings.retries_trigger, entry.poll_interval),
    )
    longest = longest_run_seconds(settings.max_run_seconds, settings.finish_seconds)
    time_limit = max_runtime_tag(longest)
    return dg.Definitions.merge(
        parts,
        build_jobs(collection, longest),
        build_upkeep(collection, time_limit),
        build_reembedding(collection),
        build_forecasting(collection, entry, time_limit),
        build_index_health(collection, entry, time_limit),
        build_slo_reports(collection, entry, time_limit),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The code location, made when Dagster loads it and not at import."""
    return dg.Definitions.merge(dg.Definitions(executor=dg.in_process_executor), build_defs())
