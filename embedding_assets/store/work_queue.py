"""The queue of references: enqueue, fold, claim, extend, release, finish.

Producers only append arrivals; a fold turns them into work items, one per document. A claim draws a fence; whoever settles
must still hold it. Not here: what is done with an item (pipeline), its failure (failures), which run works a
shard (shard_leases), how promises end (promises).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from embedding_assets.domain.work import ClaimedItem, Lane
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("work_queue")

# An item that lost so many workers is claimed apart, alone.
SUSPECT_AFTER = 2


@dataclass(frozen=True, slots=True)
class Folded:
    """Arrivals that were taken, by the lane of their document; `newest_change` is the latest live change among them."""

    by_lane: Mapping[Lane, int]
    newest_change: datetime | None = None

    @property
    def arrivals(self) -> int:
        """All of them."""
        return sum(self.by_lane.values())


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Documents of one collection and lane in one state: arrived, waiting, leased or expired."""

    collection: str
    lane: str
    state: str
    documents: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Pick:
    """Which of the ready items a claim takes.

    `of_each` bounds the items of each shard, in the order of the shards; `leave` names documents to leave; `suspects` takes
    those that lost two workers, and only those; `waited_seconds` those that waited so long already. `starts` is since when
    items of each shard must have been ready, None for any.
    """

    of_each: Sequence[int] | None = None
    leave: Sequence[str] = ()
    suspects: bool = False
    waited_seconds: float = 0.0
    starts: Sequence[datetime | None] = ()


async def enqueue(
    tx: Tx,
    collection_id: int,
    changes: Sequence[tuple[str, datetime | None]],
    *,
    lane: Lane,
    not_before: datetime | None = None,
) -> None:
    """Append arrivals for (document_key, changed_at); never waits for a worker or another producer."""
    values = {
        "collection_id": collection_id,
        "document_keys": [key for key, _ in changes],
        "changed_at": [changed for _, changed in changes],
        "not_before": not_before,
        "lane": lane.value,
    }
    await tx.execute(_SQL["enqueue"], values)


async def fold(tx: Tx, collection_id: int, *, arrivals: int = 10_000, now: datetime | None = None) -> Folded:
    """Turn up to `arrivals` arrivals into work items, and live changes into obligations."""
    await tx.execute(_SQL["move_aside"], {"collection_id": collection_id, "arrivals": arrivals})
    cursor = await tx.execute(_SQL["fold"], {"collection_id": collection_id, "arrivals": arrivals, "now": now})
    rows = await cursor.fetchall()
    changed = [row for row in rows if row[2] is not None]
    if changed:
        values = {
            "collection_id": collection_id,
            "document_keys": [row[0] for row in changed],
            "generations": [row[1] for row in changed],
            "due_from": [row[2] for row in changed],
        }
        # Before the obligations: whoever dismisses a failed document locks in this order too.
        await tx.execute(_SQL["restart_failures"], values)
        await tx.execute(_SQL["open_obligations"], values)
    taken: Counter[Lane] = Counter()
    for row in rows:
        taken[Lane(row[4])] += row[3]
    return Folded(taken, max((row[2] for row in changed), default=None))


async def forget_orphans(tx: Tx) -> int:
    """Delete arrivals of collections that are not there; how many."""
    row = await (await tx.execute(_SQL["forget_orphans"])).fetchone()
    return row[0] if row else 0


async def claim(
    tx: Tx,
    collection_id: int,
    shards: Sequence[int],
    *,
    lane: Lane,
    items: int,
    owner: str,
    lease_seconds: float,
    pick: Pick = Pick(),
    now: datetime | None = None,
) -> list[ClaimedItem]:
    """Claim up to `items` ready items of these shards, as far as `pick` takes them."""
    values = {
        "collection_id": collection_id,
        "shards": list(shards),
        "of_each": list(pick.of_each) if pick.of_each is not None else [items] * len(shards),
        "starts": list(pick.starts),
        "lane": lane.value,
        "items": items,
        "owner": owner,
        "lease_seconds": lease_seconds,
        "suspects": pick.suspects,
        "leave": list(pick.leave),
        "waited_seconds": pick.waited_seconds,
        "now": now,
    }
    cursor = await tx.execute(_SQL["claim"], values)
    return [ClaimedItem(key, shard, Lane(lane_), *others) for key, shard, lane_, *others in await cursor.fetchall()]


async def extend(
    tx: Tx,
    collection_id: int,
    items: Sequence[ClaimedItem],
    *,
    lease_seconds: float,
    max_claim_seconds: float,
    now: datetime | None = None,
) -> int:
    """Lengthen the leases still held, never beyond `max_claim_seconds` from the claim; how many were lengthened."""
    values = {**_held(collection_id, items), "lease_seconds": lease_seconds, "max_claim_seconds": max_claim_seconds}
    cursor = await tx.execute(_SQL["extend"], {**values, "now": now})
    return cursor.rowcount


async def lock_claims(tx: Tx, collection_id: int, items: Sequence[ClaimedItem]) -> set[str]:
    """Lock the rows of these claims in key order; the keys whose fence is still ours. The rest must not be written."""
    cursor = await tx.execute(_SQL["lock_claims"], _held(collection_id, items))
    return {row[0] for row in await cursor.fetchall()}


async def finish(tx: Tx, collection_id: int, document_keys: Sequence[str], *, now: datetime | None = None) -> None:
    """End claims that `lock_claims` confirmed: done, or back in the queue where a newer change waits."""
    values = {"collection_id": collection_id, "document_keys": list(document_keys), "now": now}
    await tx.execute(_SQL["finish"], values)


async def release(tx: Tx, collection_id: int, items: Sequence[ClaimedItem], *, now: datetime | None = None) -> int:
    """Give items back with no attempt spent; how many were still ours."""
    cursor = await tx.execute(_SQL["release"], {**_held(collection_id, items), "now": now})
    return cursor.rowcount


async def release_changed(
    tx: Tx, collection_id: int, items: Sequence[ClaimedItem], *, now: datetime | None = None
) -> list[str]:
    """Of claims in the backfill lane, give those back whose document has a live change now; their keys."""
    cursor = await tx.execute(_SQL["release_changed"], {**_held(collection_id, items), "now": now})
    return [row[0] for row in await cursor.fetchall()]


async def has_ready_work(tx: Tx, collection_id: int, shards: Sequence[int], *, now: datetime | None = None) -> bool:
    """Whether a run over these shards would find anything to do."""
    values = {"collection_id": collection_id, "shards": list(shards), "now": now}
    row = await (await tx.execute(_SQL["ready_work"], values)).fetchone()
    return bool(row and row[0])


async def has_live_work(tx: Tx, collection_id: int, shards: Sequence[int], *, now: datetime | None = None) -> bool:
    """Whether a live change of these shards, folded in, waits to be claimed."""
    values = {"collection_id": collection_id, "shards": list(shards), "now": now}
    row = await (await tx.execute(_SQL["live_ready"], values)).fetchone()
    return bool(row and row[0])


async def backlog(tx: Tx, collection_id: int, *, up_to: int) -> int:
    """Work items of the collection, counted no further than `up_to`."""
    row = await (await tx.execute(_SQL["backlog"], {"collection_id": collection_id, "up_to": up_to})).fetchone()
    return row[0] if row else 0


async def queue_depth(tx: Tx) -> list[QueueDepth]:
    """Depth and age of the oldest, by collection, lane and state."""
    return [QueueDepth(*row) for row in await (await tx.execute(_SQL["queue_depth"])).fetchall()]


def _held(collection_id: int, items: Sequence[ClaimedItem]) -> dict[str, object]:
    return {
        "collection_id": collection_id,
        "document_keys": [item.document_key for item in items],
        "fences": [item.fence for item in items],
    }
