"""What a tick does: one question to Dagster and one to our tables, then a run to start or the reason to start none.

A tick whose question cannot be answered fails with one sentence. Not here: when ticks come (automation), what a run does.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias

import dagster as dg

from embedding_assets.defs import names
from embedding_assets.defs.checks import vector_check_keys
from embedding_assets.defs.heartbeat import record_heartbeat
from embedding_assets.defs.partitions import range_tags
from embedding_assets.defs.resources import Workbenches, clear_failures
from embedding_assets.defs.runs import at_work, in_progress, is_failing, last_started
from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.explanation import duration
from embedding_assets.domain.limits import grouped_shards
from embedding_assets.pipeline import collection_state
from embedding_assets.pipeline.collection_state import Readiness
from embedding_assets.pipeline.objectives import take_stock
from embedding_assets.pipeline.run_records import record_tick

Tick: TypeAlias = "dg.RunRequest | dg.SkipReason"
EmbedTick: TypeAlias = "list[dg.RunRequest] | dg.SkipReason"


def embed_tick(instance: dg.DagsterInstance, workbenches: Workbenches, collection: str, run_groups: int) -> EmbedTick:
    """Drain the queue: one run for each range of shards that has something and no run at work."""
    requests: list[dg.RunRequest] = []
    busy: list[str] = []
    for shards in grouped_shards(range(SHARDS), run_groups):
        state = _readiness(workbenches, collection, shards)
        if isinstance(state, dg.SkipReason):
            return state
        if held_up := _held_up(workbenches, state):
            return dg.SkipReason(held_up)
        group = names.run_group(collection, shards, run_groups)
        lease = timedelta(seconds=workbenches.settings.lease_seconds)
        tags = {names.RUN_GROUP_TAG: group}
        if run := at_work(instance, _longest(workbenches), tags=tags, alive=state.runs_alive, lease=lease):
            busy.append(f"run {run[:8]} is in progress")
        elif state.ready and not (requests and state.circuit):
            # A circuit that is due is probed by one run; the others would find its probe taken.
            requests.append(_drain(collection, shards, tags))
    return requests or _idle(instance, workbenches, collection, busy)


def _held_up(workbenches: Workbenches, state: Readiness) -> str:
    """Why a run would end without having sent anything; empty when it would not."""
    wait = state.held_up_by
    if state.ready and state.circuit is not None and not state.circuit.due:
        return f"documents wait: {state.circuit.sentence}"
    if not state.ready or wait is None or wait.seconds <= workbenches.settings.throttle_patience_seconds:
        return ""
    return f"documents wait, but {wait.reason}, for {duration(wait.seconds)} more"


def _drain(collection: str, shards: Sequence[int], tags: Mapping[str, str]) -> dg.RunRequest:
    config = {"ops": {names.embed_documents_step(collection): {"config": {"retrack": False}}}}
    return dg.RunRequest(run_config=config, tags={**range_tags(shards[0], shards[-1]), **tags})


def _idle(
    instance: dg.DagsterInstance, workbenches: Workbenches, collection: str, busy: Sequence[str]
) -> dg.SkipReason:
    if busy:
        return dg.SkipReason("; ".join(busy))
    state = _readiness(workbenches, collection)
    if isinstance(state, dg.SkipReason):
        return state
    beat = record_heartbeat(instance, collection, state, workbenches.settings.freshness_seconds)
    return dg.SkipReason("nothing is ready" + ("; recorded that everything known is published" if beat else ""))


def source_tick(
    instance: dg.DagsterInstance, workbenches: Workbenches, collection: str, poll_interval: float | None = None
) -> Tick:
    """Poll the source when the last poll, or the last attempt at one, is older than the poll interval.

    `poll_interval` is the collection's own, in seconds; None: that of the settings.
    """
    job_name = names.sync_sources_job(collection)
    if busy := in_progress(instance, _longest(workbenches), job_name=job_name):
        return dg.SkipReason(f"run {busy[:8]} polls the source")
    state = _readiness(workbenches, collection)
    if isinstance(state, dg.SkipReason):
        return state
    # A failed poll leaves last_poll_at as it was; without its own run's time it would be repeated every tick.
    polls = [at for at in (state.last_poll_at, last_started(instance, job_name)) if at]
    interval = poll_interval or workbenches.settings.poll_interval_seconds
    waited = (state.now - max(polls)).total_seconds() if polls else interval
    if waited < interval:
        return dg.SkipReason(f"the last poll is {waited:.0f} s old, of {interval:.0f} s")
    return dg.RunRequest()


def reconcile_tick(instance: dg.DagsterInstance, workbenches: Workbenches, collection: str) -> Tick:
    """List all of a source that is otherwise asked for its changes."""
    job_name = names.sync_sources_job(collection)
    if busy := in_progress(instance, _longest(workbenches), job_name=job_name):
        return dg.SkipReason(f"run {busy[:8]} polls the source; the next poll lists all of it when that is overdue")
    state = _readiness(workbenches, collection)
    if isinstance(state, dg.SkipReason):
        return state
    if not state.asked_for_changes:
        return dg.SkipReason("every poll of this source lists all of it")
    return dg.RunRequest(run_config={"ops": {names.poll_step(collection): {"config": {"whole": True}}}})


def retry_tick(instance: dg.DagsterInstance, workbenches: Workbenches, collection: str) -> Tick:
    """Put failed documents back in the queue when their retry is due."""
    if busy := in_progress(instance, _longest(workbenches), job_name=names.reprocess_job(collection)):
        return dg.SkipReason(f"run {busy[:8]} requeues failed documents")
    state = _readiness(workbenches, collection)
    if isinstance(state, dg.SkipReason):
        return state
    return dg.RunRequest() if state.due_retries else dg.SkipReason("no failed document is due")


def reembed_tick(instance: dg.DagsterInstance, workbenches: Workbenches, collection: str, longest: timedelta) -> Tick:
    """Look into what is stale: the run finds out what it costs, and begins only where that needs no approval."""
    if busy := in_progress(instance, longest, job_name=names.reembed_job(collection)):
        return dg.SkipReason(f"run {busy[:8]} is at it")
    state = _readiness(workbenches, collection)
    if isinstance(state, dg.SkipReason):
        return state
    with clear_failures():
        stale = asyncio.run(_stale(workbenches, collection))
    if not stale and not any(is_failing(instance, key) for key in vector_check_keys(collection)):
        return dg.SkipReason("nothing is stale")
    config = {"ops": {names.reembed_step(collection): {"config": {"in_full": False}}}}
    return dg.RunRequest(run_config=config)


async def _stale(workbenches: Workbenches, collection: str) -> bool:
    async with workbenches.database() as db:
        return await collection_state.anything_stale(db, collection)


def _readiness(
    workbenches: Workbenches, collection: str, shards: Sequence[int] = range(SHARDS)
) -> Readiness | dg.SkipReason:
    """How these shards of the collection stand, or why nothing is to be started for it."""
    with clear_failures():
        state = asyncio.run(_ask(workbenches, collection, shards))
    if state is None:
        return dg.SkipReason(f"collection {collection!r} is not applied yet: run `embedding-assets collections apply`")
    if state.paused_by_hand:
        return dg.SkipReason(
            f"collection {collection!r} is paused by hand: embedding-assets collections resume {collection}"
        )
    if state.paused:
        return dg.SkipReason(f"collection {collection!r} is paused: set paused = false in the file and apply it")
    return state


async def _ask(workbenches: Workbenches, collection: str, shards: Sequence[int]) -> Readiness | None:
    async with workbenches.database() as db:
        # Here, because ticks come even when no run succeeds: mostly three looks into an index.
        await take_stock(db)
        await record_tick(db)
        return await collection_state.readiness(db, collection, shards)


def _longest(workbenches: Workbenches) -> timedelta:
    settings = workbenches.settings
    return timedelta(seconds=names.longest_run_seconds(settings.max_run_seconds, settings.finish_seconds))
