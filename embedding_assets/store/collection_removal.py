"""The rows of a collection that is removed: what there is, taking its name away, and deleting in batches.

What is counted by name stays: the ledger's counters and what was spent of budgets. Not here: whether it may be removed, and
in which order (pipeline/removing).
"""

from dataclasses import dataclass

from psycopg import sql
from psycopg.sql import Identifier

from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries
from embedding_assets.store.vectors import VectorTable

_SQL = load_queries("collection_removal")


@dataclass(frozen=True, slots=True)
class CollectionCounts:
    """What removing a collection deletes; `size` is that of its vectors with their indexes, in bytes."""

    documents: int
    chunks: int
    queued: int
    failed_documents: int
    failed_attempts: int
    models: int
    size: int


async def lock(tx: Tx, name: str) -> int | None:
    """The collection's id; until the end of the transaction nobody else changes it or begins a first run."""
    row = await (await tx.execute(_SQL["lock_collection"], {"name": name})).fetchone()
    return row[0] if row else None


async def runs_at_work(tx: Tx, collection_id: int) -> list[str]:
    """Which runs hold shards of it; until the end of the transaction no other run gets one."""
    owners = await (await tx.execute(_SQL["lock_leases"], {"collection_id": collection_id})).fetchall()
    await tx.execute(_SQL["lock_shards"], {"collection_id": collection_id})
    return sorted({row[0] for row in owners})


async def take_name(tx: Tx, collection_id: int) -> None:
    """From the end of this transaction nobody finds the collection, and no run can lease, publish or search in it."""
    await tx.execute(_SQL["take_name"], {"collection_id": collection_id})


async def half_removed(tx: Tx, name: str) -> list[int]:
    """Ids of collections that had this name and whose removal has begun."""
    return [row[0] for row in await (await tx.execute(_SQL["half_removed"], {"name": name})).fetchall()]


async def half_removed_names(tx: Tx) -> list[str]:
    """Which names they had, sorted."""
    return [row[0] for row in await (await tx.execute(_SQL["half_removed_names"])).fetchall()]


async def counts(tx: Tx, collection_id: int) -> CollectionCounts:
    """What there is of it now."""
    row = await (await tx.execute(_SQL["counts"], {"collection_id": collection_id})).fetchone()
    return CollectionCounts(*row) if row else CollectionCounts(0, 0, 0, 0, 0, 0, 0)


async def tables_of_collections(tx: Tx) -> list[str]:
    """Names of the tables whose rows belong to a collection, in the order in which they can be emptied."""
    return [row[0] for row in await (await tx.execute(_SQL["tables_of_collections"])).fetchall()]


async def delete_rows(tx: Tx, table: str, collection_id: int, *, rows: int) -> int:
    """Delete up to so many rows of the collection from one of those tables; how many."""
    query = sql.SQL(_SQL["delete_rows"]).format(table=Identifier("embedding_assets", table))
    return (await tx.execute(query, {"collection_id": collection_id, "rows": rows})).rowcount


async def drop_vectors(tx: Tx, table: VectorTable) -> None:
    """Drop the vectors with their index; gives up where the table is read for more than 2 s."""
    await tx.execute(_SQL["wait_briefly"])
    await tx.execute(sql.SQL(_SQL["drop_table"]).format(embeddings=Identifier("embedding_assets", table.name)))


async def close_circuits(tx: Tx, name: str) -> None:
    """Those that stop this collection alone."""
    await tx.execute(_SQL["close_circuits"], {"name": name})


async def delete_collection(tx: Tx, collection_id: int) -> None:
    """Delete the collection's own row, and whatever is left below it."""
    await tx.execute(_SQL["delete_collection"], {"collection_id": collection_id})
