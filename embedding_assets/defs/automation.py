"""Schedules and sensors of a collection, running by default. What a tick does is in ticks."""

from typing import Literal

import dagster as dg

from embedding_assets.defs import names
from embedding_assets.defs.resources import Workbenches
from embedding_assets.defs.telling import escalation_tick, failed_runs_tick
from embedding_assets.defs.ticks import EmbedTick, Tick, embed_tick, reconcile_tick, retry_tick, source_tick

_SENSOR_SECONDS = 60


def build_schedules(collection: str, run_groups: int) -> list[dg.ScheduleDefinition]:
    """The queue every minute, by so many runs side by side; the checks of what is stored every hour."""
    checks = dg.ScheduleDefinition(
        name=f"{collection}__hourly_checks",
        job_name=names.check_job(collection),
        # Not on the hour, when everybody else's schedules start.
        cron_schedule="17 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Checks everything stored for this collection.",
    )

    @dg.schedule(
        name=f"{collection}__every_minute",
        job_name=names.embed_documents_job(collection),
        cron_schedule="* * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Starts a run over each range of partitions where documents wait and no run is in progress.",
    )
    def every_minute(context: dg.ScheduleEvaluationContext, workbenches: dg.ResourceParam[Workbenches]) -> EmbedTick:
        return embed_tick(context.instance, workbenches, collection, run_groups)

    @dg.schedule(
        name=f"{collection}__nightly_reconcile",
        job_name=names.sync_sources_job(collection),
        cron_schedule="47 2 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Lists all of a source that polls ask only for its changes: finds what these missed.",
    )
    def nightly_reconcile(context: dg.ScheduleEvaluationContext, workbenches: dg.ResourceParam[Workbenches]) -> Tick:
        return reconcile_tick(context.instance, workbenches, collection)

    return [every_minute, checks, nightly_reconcile]


def build_sensors(
    collection: str, retries_trigger: Literal["dagster", "argo"], poll_interval: float | None = None
) -> list[dg.SensorDefinition]:
    """Source changes and due retries; and who is told of escalations and failed runs.

    The source is polled every `poll_interval` seconds; None: as the settings say. The sensor of due retries is stopped until
    somebody starts it where Argo is their trigger; both at once do no harm.
    """
    retries = dg.DefaultSensorStatus.RUNNING if retries_trigger == "dagster" else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(
        name=f"{collection}__source_changes",
        job_name=names.sync_sources_job(collection),
        minimum_interval_seconds=_SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Polls the source every poll interval.",
    )
    def source_changes(context: dg.SensorEvaluationContext, workbenches: dg.ResourceParam[Workbenches]) -> Tick:
        return source_tick(context.instance, workbenches, collection, poll_interval)

    @dg.sensor(
        name=f"{collection}__due_retries",
        job_name=names.reprocess_job(collection),
        minimum_interval_seconds=_SENSOR_SECONDS,
        default_status=retries,
        description="Starts the reprocessing of failed documents whose next retry is due.",
    )
    def due_retries(context: dg.SensorEvaluationContext, workbenches: dg.ResourceParam[Workbenches]) -> Tick:
        return retry_tick(context.instance, workbenches, collection)

    return [source_changes, due_retries, *_notifying_sensors(collection)]


def _notifying_sensors(collection: str) -> list[dg.SensorDefinition]:
    """They start nothing. Apart from each other: one that cannot tell must not have the other tell twice."""

    @dg.sensor(
        name=f"{collection}__escalations",
        minimum_interval_seconds=_SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of escalated documents that nobody was told of.",
    )
    def escalations(context: dg.SensorEvaluationContext, workbenches: dg.ResourceParam[Workbenches]) -> dg.SkipReason:
        del context
        return escalation_tick(workbenches, collection)

    @dg.sensor(
        name=f"{collection}__failed_runs",
        minimum_interval_seconds=_SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of failed runs of this collection's jobs.",
    )
    def failed_runs(
        context: dg.SensorEvaluationContext, workbenches: dg.ResourceParam[Workbenches]
    ) -> dg.SensorResult | dg.SkipReason:
        return failed_runs_tick(context.instance, workbenches, collection, context.cursor)

    return [escalations, failed_runs]
