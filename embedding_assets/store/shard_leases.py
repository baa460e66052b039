"""Which run works a shard: two runs never process one at once, whatever the orchestrator's settings are.

Not here: the leases of single items, but for ending those that a run before left behind (work_queue).
"""

from collections.abc import Sequence
from datetime import datetime

from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("shard_leases")


async def lease_shards(
    tx: Tx, collection_id: int, shards: Sequence[int], *, owner: str, lease_seconds: float
) -> list[int]:
    """Take those of the shards that no other run works; sorted."""
    values = {"collection_id": collection_id, "shards": list(shards), "owner": owner, "lease_seconds": lease_seconds}
    await tx.execute(_SQL["ensure_shards"], values)
    return sorted(row[0] for row in await (await tx.execute(_SQL["lease_shards"], values)).fetchall())


async def end_leases_of_others(
    tx: Tx, collection_id: int, shards: Sequence[int], *, owner: str, now: datetime | None = None
) -> int:
    """End the leases other runs left on items of shards this run has just leased; how many."""
    values = {"collection_id": collection_id, "shards": list(shards), "owner": owner, "now": now}
    return (await tx.execute(_SQL["end_leases_of_others"], values)).rowcount


async def shards_held_for(tx: Tx, collection_id: int) -> float:
    """Seconds until the last shard lease ends by itself, 0.0 when no shard is leased."""
    row = await (await tx.execute(_SQL["shards_held_for"], {"collection_id": collection_id})).fetchone()
    return max(row[0] or 0.0, 0.0) if row else 0.0


async def runs_alive(tx: Tx, collection_id: int) -> list[str]:
    """Owners of shards whose leases have not ended."""
    rows = await (await tx.execute(_SQL["runs_alive"], {"collection_id": collection_id})).fetchall()
    return [row[0] for row in rows]


async def extend_shards(tx: Tx, collection_id: int, *, owner: str, lease_seconds: float) -> list[int]:
    """Lengthen this run's shard leases; the shards it still has, sorted."""
    values = {"collection_id": collection_id, "owner": owner, "lease_seconds": lease_seconds}
    return sorted(row[0] for row in await (await tx.execute(_SQL["extend_shards"], values)).fetchall())


async def free_shards(tx: Tx, collection_id: int, *, owner: str) -> None:
    """Give this run's shards back."""
    await tx.execute(_SQL["free_shards"], {"collection_id": collection_id, "owner": owner})
