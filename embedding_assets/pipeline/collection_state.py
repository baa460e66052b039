"""How a collection stands, for whoever decides whether to start a run. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from embedding_assets.domain.circuits import OpenCircuit, Scopes, in_the_way
from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.limits import LimitWait
from embedding_assets.store import (
    circuits,
    collections,
    corpus,
    failures,
    inspection,
    rate_limiter,
    shard_leases,
    source_listings,
    work_queue,
)
from embedding_assets.store.database import Database


@dataclass(frozen=True, slots=True)
class Readiness:
    """What there is to do, as of `now` by the database's clock.

    `ready` is whether a run would find work, `due_retries` how many failed documents may be tried again, `overdue` how
    many live changes are past their promise. `held_up_by` keeps every request back: a budget, or the provider's own word;
    `circuit` is open, and keeps everybody from claiming. `runs_alive` are those that hold a shard. `asked_for_changes`: polls do
    not list all of the source.
    """

    now: datetime
    paused: bool
    ready: bool
    due_retries: int
    overdue: int
    last_poll_at: datetime | None
    held_up_by: LimitWait | None = None
    circuit: OpenCircuit | None = None
    runs_alive: frozenset[str] = frozenset()
    paused_by_hand: bool = False
    asked_for_changes: bool = False


async def readiness(db: Database, collection: str, shards: Sequence[int] = range(SHARDS)) -> Readiness | None:
    """What there is to do in these shards; None when the collection is not in the database."""
    async with db.transaction() as tx:
        applied = await collections.find(tx, collection)
        if applied is None:
            return None
        scopes = Scopes(applied.name, applied.model.name)
        return Readiness(
            now=await source_listings.server_time(tx),
            paused=applied.paused or applied.paused_since is not None,
            paused_by_hand=applied.paused_since is not None,
            ready=await work_queue.has_ready_work(tx, applied.id, list(shards)),
            due_retries=await failures.count_due(tx, applied.id),
            overdue=await inspection.count_overdue(tx, applied.id),
            last_poll_at=applied.last_poll_at,
            held_up_by=await rate_limiter.held_up_by(tx, applied.id),
            circuit=in_the_way(await circuits.open_circuits(tx, scopes.all)),
            runs_alive=frozenset(await shard_leases.runs_alive(tx, applied.id)),
            asked_for_changes=(await source_listings.poll_state(tx, applied.id)).cursor is not None,
        )


async def anything_stale(db: Database, collection: str) -> bool:
    """Whether another model is being built, or documents that are not queued yet were cut by another chunker."""
    async with db.transaction() as tx:
        applied = await collections.find(tx, collection)
        if applied is None:
            return False
        return applied.building is not None or bool(await corpus.stale_keys(tx, applied.id, range(SHARDS), most=1))
