"""Failed runs of a collection's jobs, as the notifier tells of them; and what a sensor's cursor remembers of those told.

Dagster's own failure sensor moves on when telling failed, and the failure is lost. Not here: the telling (telling).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

import dagster as dg
from typing_extensions import Self

from embedding_assets.domain.notices import FailedRun
from embedding_assets.domain.redaction import redacted

# Clocks of hosts differ, and a run's end may be written some time after it was stamped.
_OVERLAP = timedelta(minutes=10)
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Told:
    """Up to when failed runs were looked for, and those of the last minutes before that were told."""

    since: datetime
    run_ids: frozenset[str] = frozenset()

    @classmethod
    def from_cursor(cls, cursor: str | None) -> Self:
        """What the last tick that told left; at first, as if one had just been."""
        if not cursor:
            return cls(datetime.now(timezone.utc))
        values = json.loads(cursor)
        return cls(datetime.fromisoformat(values["since"]), frozenset(values["run_ids"]))

    def cursor(self) -> str:
        """As the sensor keeps it."""
        return json.dumps({"since": self.since.isoformat(), "run_ids": sorted(self.run_ids)})


def untold_runs(instance: dg.DagsterInstance, job_names: Sequence[str], told: Told) -> tuple[list[dg.DagsterRun], Told]:
    """Failed runs that nobody was told of, in the order of their ends; and what to remember once somebody was."""
    now = datetime.now(timezone.utc)
    records = [
        record
        for name in job_names
        for record in instance.get_run_records(
            dg.RunsFilter(job_name=name, statuses=[dg.DagsterRunStatus.FAILURE], updated_after=told.since - _OVERLAP)
        )
    ]
    records.sort(key=lambda record: record.update_timestamp)
    recent = frozenset(run.dagster_run.run_id for run in records if run.update_timestamp > now - 2 * _OVERLAP)
    runs = [record.dagster_run for record in records if record.dagster_run.run_id not in told.run_ids]
    return runs, replace(told, since=now, run_ids=recent)


def described(instance: dg.DagsterInstance, run: dg.DagsterRun) -> FailedRun:
    """The run with its reason: our own sentence, else Dagster's, else the name of what was raised."""
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    events = [record.event_log_entry.dagster_event for record in _records(instance, run, kinds)]
    reasons = [_reason(event) for event in events if event]
    reason = next(filter(None, reasons), "it left no reason; its page in Dagster has the log")
    return FailedRun(run.run_id, run.job_name, _one_line(reason))


def _records(
    instance: dg.DagsterInstance, run: dg.DagsterRun, kinds: set[dg.DagsterEventType]
) -> Sequence[dg.EventLogRecord]:
    return instance.get_records_for_run(run.run_id, of_type=kinds).records


def _reason(event: dg.DagsterEvent) -> str | None:
    if not event.is_step_failure:
        return event.message
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    # What was raised may quote anything in its message.
    error = data.error.cause if data.error and data.error.cause else data.error
    return f"unexpected {error.cls_name}; its page in Dagster has the log" if error else None


def _one_line(reason: str) -> str:
    line = redacted(" ".join(reason.split()))
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"
