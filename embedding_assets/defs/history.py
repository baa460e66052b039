"""Dagster's memory of our runs, kept from growing for ever: a nightly job deletes old runs with their events.

Dagster's own `retention` ends ticks only. Runs of jobs that are not ours are never touched, nor the run that recorded the newest
state of a partition or a check, nor the newest of a job. Not here: what our own tables keep.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone

import dagster as dg

from embedding_assets.defs import names
from embedding_assets.defs.checks import refusal_check_key, stored_check_keys
from embedding_assets.defs.resources import Workbenches
from embedding_assets.pipeline.run_stages import DocumentStage

JOB = "embedding_assets__purge_run_history"
_OVER = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_RECORDED = (dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_OBSERVATION)
_RUNS_AT_ONCE = 500
# 150 ms a run were measured on a busy machine; a history that was never purged is worked off over some nights.
_LONGEST_SECONDS = 1500.0
_TIME_LIMIT = 1800


def build_history(collections: Sequence[str]) -> dg.Definitions:
    """The job and its schedule, one for the code location."""

    @dg.op(name="embedding_assets__purge")
    def purge(context: dg.OpExecutionContext, workbenches: dg.ResourceParam[Workbenches]) -> None:
        before = datetime.now(timezone.utc) - timedelta(days=workbenches.settings.dagster_history_days)
        deleted = purge_runs(context.instance, collections, before)
        context.log.info("%d runs from before %s were deleted", deleted, before.isoformat(timespec="minutes"))
        context.add_output_metadata({"deleted": deleted})

    @dg.job(
        name=JOB,
        description="Deletes old runs of our jobs from Dagster's storage, but the newest state of everything.",
        tags=names.max_runtime_tag(_TIME_LIMIT),
        executor_def=dg.in_process_executor,
    )
    def purge_run_history() -> None:
        purge()

    nightly = dg.ScheduleDefinition(
        name="embedding_assets__nightly_purge",
        job=purge_run_history,
        cron_schedule="7 4 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Deletes old runs of our jobs.",
    )
    return dg.Definitions(jobs=[purge_run_history], schedules=[nightly])


def purge_runs(instance: dg.DagsterInstance, collections: Sequence[str], before: datetime) -> int:
    """Delete our finished runs that did not change since `before`; how many."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    kept = {run for collection in collections for run in _newest(instance, collection)}
    deleted = 0
    for job in [JOB, *(job for collection in collections for job in names.watched_jobs(collection))]:
        kept |= {record.dagster_run.run_id for record in instance.get_run_records(dg.RunsFilter(job_name=job), limit=1)}
        for run_id in _old_runs(instance, job, before):
            if time.monotonic() > deadline:
                return deleted
            if run_id not in kept:
                instance.delete_run(run_id)
                deleted += 1
    return deleted


def _old_runs(instance: dg.DagsterInstance, job: str, before: datetime) -> list[str]:
    """All of them before the first is deleted: Dagster pages by a run that has to be there."""
    filters = dg.RunsFilter(job_name=job, statuses=_OVER, updated_before=before)
    ids: list[str] = []
    while found := instance.get_run_records(filters, limit=_RUNS_AT_ONCE, cursor=ids[-1] if ids else None):
        ids += [record.dagster_run.run_id for record in found]
    return ids


def _newest(instance: dg.DagsterInstance, collection: str) -> Iterator[str]:
    """Runs that recorded the newest state of a partition of an asset, or of a check."""
    for stage in DocumentStage:
        key = names.asset_key(collection, stage)
        for kind in _RECORDED:
            newest = list(instance.get_latest_storage_id_by_partition(key, kind).values())
            yield from _runs_of(instance, key, kind, newest)
    for check in [refusal_check_key(collection), *stored_check_keys(collection)]:
        if record := instance.get_latest_asset_check_evaluation_record(check):
            yield record.run_id


def _runs_of(
    instance: dg.DagsterInstance, key: dg.AssetKey, kind: dg.DagsterEventType, storage_ids: list[int]
) -> Iterator[str]:
    if not storage_ids:
        return
    filters = dg.AssetRecordsFilter(asset_key=key, storage_ids=storage_ids)
    fetch = instance.fetch_materializations if kind is _RECORDED[0] else instance.fetch_observations
    yield from (record.run_id for record in fetch(filters, limit=len(storage_ids)).records)
