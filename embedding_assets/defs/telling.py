"""What a tick of the two notifying sensors does: find what nobody was told of, tell it, remember it.

A tick that could not tell fails with one sentence and remembers nothing; the next one tries again.
"""

import asyncio

import dagster as dg

from embedding_assets import runtime
from embedding_assets.defs import names
from embedding_assets.defs.failed_runs import Told, described, untold_runs
from embedding_assets.defs.resources import Workbenches, clear_failures
from embedding_assets.domain.notices import EXAMPLES, FailedRunsNotice
from embedding_assets.domain.ports import Notifier
from embedding_assets.pipeline.notifying import tell, tell_escalations

_NOBODY = "nobody is to be told: EMBEDDING_ASSETS_NOTIFY_WEBHOOK_URL is not set, and no notifier is installed"


def escalation_tick(workbenches: Workbenches, collection: str) -> dg.SkipReason:
    """Tell of escalated documents; they are marked in our own table."""
    with clear_failures():
        notifiers = runtime.notifiers(workbenches.settings)
        if not notifiers:
            return dg.SkipReason(_NOBODY)
        told = asyncio.run(_tell_escalations(workbenches, collection, notifiers))
    return dg.SkipReason(f"told of escalated documents: {told}" if told else "nobody has to be told anything")


def failed_runs_tick(
    instance: dg.DagsterInstance, workbenches: Workbenches, collection: str, cursor: str | None
) -> dg.SensorResult | dg.SkipReason:
    """Tell of failed runs; the sensor's cursor remembers them. Our database is not asked: it may be the reason."""
    with clear_failures():
        notifiers = runtime.notifiers(workbenches.settings)
        if not notifiers:
            return dg.SkipReason(_NOBODY)
        runs, told = untold_runs(instance, names.watched_jobs(collection), Told.from_cursor(cursor))
        if runs:
            latest = [described(instance, run) for run in runs[-EXAMPLES:]]
            notice = FailedRunsNotice(collection, len(runs), latest)
            asyncio.run(tell(notifiers, notice, seconds=workbenches.settings.notify_timeout_seconds))
    reason = f"told of failed runs: {len(runs)}" if runs else "nobody has to be told anything"
    return dg.SensorResult(skip_reason=dg.SkipReason(reason), cursor=told.cursor())


async def _tell_escalations(workbenches: Workbenches, collection: str, notifiers: list[Notifier]) -> int:
    async with workbenches.database() as db:
        seconds = workbenches.settings.notify_timeout_seconds
        return await tell_escalations(db, collection, notifiers, seconds=seconds)
