"""What a tick does: one question to Dagster and one to our tables, then a run to start or the reason to start none.

A tick whose question cannot be answered fails with one sentence. Not here: when ticks come (automation), what a run does.
"""

import asyncio
from datetime import timedelta
from typing import TypeAlias

import dagster as dg

from embedding_assets.defs import names
from embedding_assets.defs.heartbeat import record_heartbeat
from embedding_assets.defs.partitions import range_tags
from embedding_assets.defs.resources import Workbenches, clear_failures
from embedding_assets.defs.runs import in_progress, last_started
from embedding_assets.pipeline import collection_state
from embedding_assets.pipeline.collection_state import Readiness

Tick: TypeAlias = "dg.RunRequest | dg.SkipReason"


def embed_tick(instance: dg.DagsterInstance, workbenches: Workbenches, collection: str) -> Tick:
    """Drain the queue when it has something and no run of this collection does so already."""
    busy = in_progress(instance, _longest(workbenches), tags={names.RUN_GROUP_TAG: collection})
    if busy:
        return dg.SkipReason(f"run {busy[:8]} is in progress")
    state = _readiness(workbenches, collection)
    if isinstance(state, dg.SkipReason):
        return state
    if state.ready:
        step = {"config": {"retrack": False}}
        return dg.RunRequest(run_config={"ops": {names.embed_documents_step(collection): step}}, tags=range_tags())
    beat = record_heartbeat(instance, collection, state, workbenches.settings.freshness_seconds)
    return dg.SkipReason("nothing is ready" + ("; recorded that everything known is published" if beat else ""))


def source_tick(instance: dg.DagsterInstance, workbenches: Workbenches, collection: str) -> Tick:
    """Poll the source when the last poll, or the last attempt at one, is older than the poll interval."""
    job_name = names.sync_sources_job(collection)
    if busy := in_progress(instance, _longest(workbenches), job_name=job_name):
        return dg.SkipReason(f"run {busy[:8]} polls the source")
    state = _readiness(workbenches, collection)
    if isinstance(state, dg.SkipReason):
        return state
    # A failed poll leaves last_poll_at as it was; without its own run's time it would be repeated every tick.
    polls = [at for at in (state.last_poll_at, last_started(instance, job_name)) if at]
    interval = workbenches.settings.poll_interval_seconds
    waited = (state.now - max(polls)).total_seconds() if polls else interval
    if waited < interval:
        return dg.SkipReason(f"the last poll is {waited:.0f} s old, of {interval:.0f} s")
    return dg.RunRequest()


def retry_tick(instance: dg.DagsterInstance, workbenches: Workbenches, collection: str) -> Tick:
    """Put failed documents back in the queue when their retry is due."""
    if busy := in_progress(instance, _longest(workbenches), job_name=names.reprocess_job(collection)):
        return dg.SkipReason(f"run {busy[:8]} requeues failed documents")
    state = _readiness(workbenches, collection)
    if isinstance(state, dg.SkipReason):
        return state
    return dg.RunRequest() if state.due_retries else dg.SkipReason("no failed document is due")


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
