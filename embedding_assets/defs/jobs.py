"""The four jobs of a collection: embed documents, sync sources, reprocess failed documents, check stored data.

All run in one process: a step has nothing to do beside another, and a process costs seconds of imports.
"""

from collections.abc import Mapping

import dagster as dg
from pydantic import Field

from embedding_assets.defs import names
from embedding_assets.defs.checks import refusal_check_key, stored_check_keys
from embedding_assets.defs.interruption import run_interruptibly
from embedding_assets.defs.resources import PrometheusMetrics, Workbenches, clear_failures
from embedding_assets.pipeline.reprocessing import requeue_due
from embedding_assets.pipeline.run_stages import DocumentStage
from embedding_assets.pipeline.sync import SyncOutcome, sync_source


class SyncSourcesConfig(dg.Config):
    """How a poll by hand may differ."""

    confirm_deletions: bool = Field(
        default=False, description="Believe a listing that lost more than 10 % and more than 20 documents."
    )
    whole: bool = Field(
        default=False, description="List all of the source, also where it could be asked for its changes."
    )


def build_jobs(collection: str, longest_seconds: int) -> dg.Definitions:
    """All four; a run older than `longest_seconds` is ended."""
    time_limit = names.max_runtime_tag(longest_seconds)
    sync, reprocess = _sync_job(collection, time_limit), _reprocess_job(collection, time_limit)
    return dg.Definitions.merge(_asset_jobs(collection, time_limit), dg.Definitions(jobs=[sync, reprocess]))


def _asset_jobs(collection: str, time_limit: Mapping[str, str]) -> dg.Definitions:
    # The checks of what is stored are apart: beside a run that records sparsely Dagster skips them.
    keys = [names.asset_key(collection, stage) for stage in DocumentStage]
    assets = dg.AssetSelection.assets(*keys).without_checks()
    embed = dg.define_asset_job(
        names.embed_documents_job(collection),
        selection=assets | dg.AssetSelection.checks(refusal_check_key(collection)),
        description="Drains the queue of the partitions' shards: fetch, chunk, embed, publish.",
        tags={names.RUN_GROUP_TAG: collection, **time_limit},
        executor_def=dg.in_process_executor,
    )
    check = dg.define_asset_job(
        names.check_job(collection),
        selection=dg.AssetSelection.checks(*stored_check_keys(collection)),
        description="Looks at everything stored for this collection.",
        tags=time_limit,
        executor_def=dg.in_process_executor,
    )
    return dg.Definitions(jobs=[embed, check])


def _sync_job(collection: str, time_limit: Mapping[str, str]) -> dg.JobDefinition:

    @dg.op(name=names.poll_step(collection))
    def poll_source(
        context: dg.OpExecutionContext,
        config: SyncSourcesConfig,
        workbenches: dg.ResourceParam[Workbenches],
        embedding_metrics: dg.ResourceParam[PrometheusMetrics],
    ) -> None:
        with clear_failures(), embedding_metrics.recorded("sync_sources", collection):
            outcome = run_interruptibly(_sync(workbenches, collection, context.run_id, config))
        context.log.info(_sync_summary(outcome))
        context.add_output_metadata(_sync_numbers(outcome))

    @dg.job(
        name=names.sync_sources_job(collection),
        description="Asks the source what is new, changed or gone, and queues it. Deletes nothing by itself.",
        tags=time_limit,
        executor_def=dg.in_process_executor,
    )
    def sync_sources() -> None:
        poll_source()

    return sync_sources


def _reprocess_job(collection: str, time_limit: Mapping[str, str]) -> dg.JobDefinition:

    @dg.op(name=f"{collection}__requeue_due")
    def requeue_due_documents(
        context: dg.OpExecutionContext,
        workbenches: dg.ResourceParam[Workbenches],
        embedding_metrics: dg.ResourceParam[PrometheusMetrics],
    ) -> None:
        with clear_failures(), embedding_metrics.recorded("reprocess_failed_documents", collection):
            queued = run_interruptibly(_requeue(workbenches, collection, context.run_id))
        context.log.info("%d failed documents are back in the queue", queued)
        context.add_output_metadata({"queued": queued})

    @dg.job(
        name=names.reprocess_job(collection),
        description="Puts failed documents whose next retry is due back into the queue.",
        tags=time_limit,
        executor_def=dg.in_process_executor,
    )
    def reprocess_failed_documents() -> None:
        requeue_due_documents()

    return reprocess_failed_documents


async def _sync(workbenches: Workbenches, collection: str, run_id: str, config: SyncSourcesConfig) -> SyncOutcome:
    async with workbenches.open(collection, run_id=run_id) as bench:
        return await sync_source(bench, confirm_deletions=config.confirm_deletions, whole=config.whole)


async def _requeue(workbenches: Workbenches, collection: str, run_id: str) -> int:
    async with workbenches.open(collection, run_id=run_id) as bench:
        return await requeue_due(bench)


def _sync_numbers(outcome: SyncOutcome) -> dict[str, int]:
    found = outcome.difference
    return {
        "listed": found.listed,
        "new": found.new,
        "changed": found.changed,
        "missing": found.missing,
        "queued": outcome.enqueued,
        "withheld": outcome.withheld,
        "unnameable": outcome.unnameable,
    }


def _sync_summary(outcome: SyncOutcome) -> str:
    asked = "" if outcome.whole else "asked for changes only: "
    counts = asked + ", ".join(f"{count} {name}" for name, count in _sync_numbers(outcome).items())
    if not outcome.withheld:
        return counts
    return f"{counts}. So many deletions at once are not believed: run again with confirm_deletions if they are meant"
