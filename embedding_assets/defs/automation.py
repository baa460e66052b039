"""Schedules and sensors of a collection: a question to Dagster, one to our tables, then a run or the reason for none.

A tick whose question cannot be answered fails with one sentence. Not here: what a run does (jobs, assets).
"""

import asyncio
from datetime import timedelta

import dagster as dg

from embedding_assets.defs import names
from embedding_assets.defs.heartbeat import record_heartbeat
from embedding_assets.defs.partitions import range_tags
from embedding_assets.defs.resources import Workbenches, clear_failures
from embedding_assets.defs.runs import in_progress, last_started
from embedding_assets.pipeline import collection_state
from embedding_assets.pipeline.collection_state import Readiness

_TICK_SECONDS = 60


def build_embed_schedule(collection: str) -> dg.ScheduleDefinition:
    """Every minute: drain the queue when it has something and no run of this collection does so already."""

    @dg.schedule(
        name=f"{collection}__every_minute",
        job_name=names.embed_documents_job(collection),
        cron_schedule="* * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Starts a run over all partitions when documents wait and no run is in progress.",
    )
    def every_minute(
        context: dg.ScheduleEvaluationContext, workbenches: dg.ResourceParam[Workbenches]
    ) -> dg.RunRequest | dg.SkipReason:
        busy = in_progress(context.instance, _longest(workbenches), tags={names.RUN_GROUP_TAG: collection})
        if busy:
            return dg.SkipReason(f"run {busy[:8]} is in progress")
        state = _readiness(workbenches, collection)
        if isinstance(state, dg.SkipReason):
            return state
        if state.ready:
            step = {"config": {"retrack": False}}
            return dg.RunRequest(run_config={"ops": {names.embed_documents_step(collection): step}}, tags=range_tags())
        beat = record_heartbeat(context.instance, collection, state, workbenches.settings.freshness_seconds)
        return dg.SkipReason("nothing is ready" + ("; recorded that everything known is published" if beat else ""))

    return every_minute


def build_check_schedule(collection: str) -> dg.ScheduleDefinition:
    """Hourly: look at what is stored."""
    return dg.ScheduleDefinition(
        name=f"{collection}__hourly_checks",
        job_name=names.check_job(collection),
        # Not on the hour, when everybody else's schedules start.
        cron_schedule="17 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Checks everything stored for this collection.",
    )


def build_source_sensor(collection: str) -> dg.SensorDefinition:
    """Poll the source when the last poll, or the last attempt at one, is older than the poll interval."""
    job_name = names.sync_sources_job(collection)

    @dg.sensor(
        name=f"{collection}__source_changes",
        job_name=job_name,
        minimum_interval_seconds=_TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Polls the source every poll interval.",
    )
    def source_changes(
        context: dg.SensorEvaluationContext, workbenches: dg.ResourceParam[Workbenches]
    ) -> dg.RunRequest | dg.SkipReason:
        if busy := in_progress(context.instance, _longest(workbenches), job_name=job_name):
            return dg.SkipReason(f"run {busy[:8]} polls the source")
        state = _readiness(workbenches, collection)
        if isinstance(state, dg.SkipReason):
            return state
        # A failed poll leaves last_poll_at as it was; without its own run's time it would be repeated every tick.
        polls = [at for at in (state.last_poll_at, last_started(context.instance, job_name)) if at]
        waited = state.now - max(polls) if polls else None
        every = timedelta(seconds=workbenches.settings.poll_interval_seconds)
        if waited is not None and waited < every:
            return dg.SkipReason(
                f"the last poll is {waited.total_seconds():.0f} s old, of {every.total_seconds():.0f} s"
            )
        return dg.RunRequest()

    return source_changes


def build_retry_sensor(collection: str) -> dg.SensorDefinition:
    """Put failed documents back in the queue when their retry is due."""
    job_name = names.reprocess_job(collection)

    @dg.sensor(
        name=f"{collection}__due_retries",
        job_name=job_name,
        minimum_interval_seconds=_TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the reprocessing of failed documents whose next retry is due.",
    )
    def due_retries(
        context: dg.SensorEvaluationContext, workbenches: dg.ResourceParam[Workbenches]
    ) -> dg.RunRequest | dg.SkipReason:
        if busy := in_progress(context.instance, _longest(workbenches), job_name=job_name):
            return dg.SkipReason(f"run {busy[:8]} requeues failed documents")
        state = _readiness(workbenches, collection)
        if isinstance(state, dg.SkipReason):
            return state
        return dg.RunRequest() if state.due_retries else dg.SkipReason("no failed document is due")

    return due_retries


def _readiness(workbenches: Workbenches, collection: str) -> Readiness | dg.SkipReason:
    """How the collection stands, or why nothing is to be started for it."""
    with clear_failures():
        state = asyncio.run(_ask(workbenches, collection))
    if state is None:
        return dg.SkipReason(f"collection {collection!r} is not applied yet: run `embedding-assets collections apply`")
    if state.paused:
        return dg.SkipReason(f"collection {collection!r} is paused: set paused = false in the file and apply it")
    return state


async def _ask(workbenches: Workbenches, collection: str) -> Readiness | None:
    async with workbenches.database() as db:
        return await collection_state.readiness(db, collection)


def _longest(workbenches: Workbenches) -> timedelta:
    return timedelta(seconds=names.longest_run_seconds(workbenches.settings.max_run_seconds))
