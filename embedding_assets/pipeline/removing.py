"""Removes a collection with everything that is its own: its name first, its rows in batches, its own row at the end.

Killed at any moment it is continued by the next. Counters of the ledger and what was spent of budgets stay, by name: they are
history. Not here: whether the file still has it (runtime).
"""

from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.pipeline.switching import hold_model
from embedding_assets.store import collection_removal, collections
from embedding_assets.store.collection_removal import CollectionCounts
from embedding_assets.store.database import Database, Tx

# Measured over 100,000 documents of three chunks, 11 s in all: 5,000 chunks take 104 ms, at most 339. Nobody waits for them;
# smaller batches walk over what the ones before left behind.
_ROWS_AT_ONCE = 5000


class NotRemovable(EmbeddingAssetsError):
    """A run works on it; the message says what to do."""


async def what_there_is(db: Database, name: str, *, only_left: bool = False) -> CollectionCounts | None:
    """What removing it would delete, with what an interrupted removal left (`only_left`: of that alone); None for nothing."""
    async with db.transaction() as tx:
        found = None if only_left else await collections.find(tx, name)
        ids = [*([found.id] if found else []), *await collection_removal.half_removed(tx, name)]
        if not ids:
            return None
        each = [await collection_removal.counts(tx, one) for one in ids]
    return CollectionCounts(*(sum(getattr(one, key) for one in each) for key in CollectionCounts.__slots__))


async def remove_collection(db: Database, name: str, *, only_left: bool = False) -> None:
    """Remove it, with what an interrupted removal left; `only_left`: that alone, beside one of its name that is there.

    Raises:
        NotRemovable: a run holds shards of it: nothing was changed.
    """
    if not only_left:
        await db.atomically(lambda tx: _take_name(tx, name))
    async with db.transaction() as tx:
        half_removed = await collection_removal.half_removed(tx, name)
        tables = await collection_removal.tables_of_collections(tx)
    for collection_id in half_removed:
        for table in tables:
            while await db.atomically(lambda tx, of=(table, collection_id): _delete(tx, *of)):
                pass
        await _drop_vectors(db, collection_id)
        await db.atomically(lambda tx, of=(name, collection_id): _finish(tx, *of))


async def _take_name(tx: Tx, name: str) -> None:
    # Settles in progress end first, later ones find no collection.
    await hold_model(tx, name)
    collection_id = await collection_removal.lock(tx, name)
    if collection_id is None:
        return
    # In a later statement than the lock, which may have waited for a run that was leasing its first shards.
    if runs := await collection_removal.runs_at_work(tx, collection_id):
        raise NotRemovable(
            f"collection {name!r} is being worked on by {', '.join(runs)}: pause it "
            f"(embedding-assets collections pause {name}), wait until status shows no run of it, and remove it then; "
            "a run that was killed holds its shards until its lease ends"
        )
    await collection_removal.take_name(tx, collection_id)


async def _delete(tx: Tx, table: str, collection_id: int) -> int:
    return await collection_removal.delete_rows(tx, table, collection_id, rows=_ROWS_AT_ONCE)


async def _drop_vectors(db: Database, collection_id: int) -> None:
    async with db.transaction() as tx:
        tables = await collections.vector_tables(tx, collection_id)
    for table in tables:
        await db.atomically(lambda tx, table=table: collection_removal.drop_vectors(tx, table))


async def _finish(tx: Tx, name: str, collection_id: int) -> None:
    # A collection of its name that was applied meanwhile keeps its own circuits.
    if await collections.find(tx, name) is None:
        await collection_removal.close_circuits(tx, name)
    await collection_removal.delete_collection(tx, collection_id)
