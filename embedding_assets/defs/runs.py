"""What Dagster knows of runs and checks: which run is in progress, when the last of a job was started, what a check found."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta, timezone

import dagster as dg

_IN_PROGRESS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def in_progress(
    instance: dg.DagsterInstance,
    longest: timedelta,
    *,
    job_name: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> str | None:
    """The id of a run in progress that is younger than `longest`; an older one is stuck, and never blocks."""
    since = datetime.now(timezone.utc) - longest
    filters = dg.RunsFilter(job_name=job_name, tags=tags, statuses=_IN_PROGRESS, created_after=since)
    runs = instance.get_run_records(filters, limit=1)
    return runs[0].dagster_run.run_id if runs else None


def at_work(
    instance: dg.DagsterInstance,
    longest: timedelta,
    *,
    tags: Mapping[str, str],
    alive: Collection[str],
    lease: timedelta,
) -> str | None:
    """The id of a run in progress that is not hung: one that has begun and neither is new nor holds a lease is.

    `alive` are runs that hold a shard whose lease has not ended; a run takes its leases within a minute and a lease.
    """
    now = datetime.now(timezone.utc)
    filters = dg.RunsFilter(tags=tags, statuses=_IN_PROGRESS, created_after=now - longest)
    for record in instance.get_run_records(filters):
        begun = record.dagster_run.status is dg.DagsterRunStatus.STARTED and record.start_time
        is_new = not begun or now.timestamp() - begun < (lease + timedelta(minutes=1)).total_seconds()
        if is_new or record.dagster_run.run_id in alive:
            return record.dagster_run.run_id
    return None


def last_started(instance: dg.DagsterInstance, job_name: str) -> datetime | None:
    """When the newest run of this job was created, whatever became of it."""
    runs = instance.get_run_records(dg.RunsFilter(job_name=job_name), limit=1)
    return runs[0].create_timestamp if runs else None


def is_failing(instance: dg.DagsterInstance, check: dg.AssetCheckKey) -> bool:
    """Whether the check found something when it was last made."""
    record = instance.get_latest_asset_check_evaluation_record(check)
    # By name, because Dagster does not export the class.
    return record is not None and record.status.name == "FAILED"
