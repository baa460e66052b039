"""Upkeep of what is stored: vectors that nobody holds are collected, and the index is built where it is missing.

Arrivals of collections that are not there any more are swept up too.

Safe beside running workers, and to be killed at any moment: each batch is a transaction of milliseconds.
"""

from dataclasses import dataclass

from embedding_assets.pipeline.counting import reconcile_counts
from embedding_assets.pipeline.indexing import IndexOutcome, ensure_index
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import collections, vector_garbage, vectors, work_queue
from embedding_assets.store.database import Database
from embedding_assets.store.vector_garbage import Collected
from embedding_assets.store.vectors import VectorTable

# Settles wait so long: measured 13 ms (median of 200 batches) for 500 vectors of 256 dimensions.
_COLLECTED_AT_ONCE = 500
_MARKED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class UpkeepOutcome:
    """Vectors newly marked as held by nobody, deleted after their grace, held again, and still in their grace.

    `counts_corrected`: by how many documents the counts of what is queued and tracked were off, 0 unless somebody went past them.
    """

    marked: int
    deleted: int
    kept: int
    in_grace: int
    index: IndexOutcome
    counts_corrected: int = 0


async def maintain(bench: Workbench, *, grace_seconds: float) -> UpkeepOutcome:
    """Mark, collect what was marked `grace_seconds` ago (0: what was marked just now too), and see to the index.

    In the tables of all models of the collection: what is erased must not stay under one that is kept or being built.
    """
    async with bench.db.transaction() as tx:
        await vectors.create_table(tx, bench.target.table)
        tables = await collections.vector_tables(tx, bench.target.collection_id)
        await work_queue.forget_orphans(tx)
    marked = deleted = kept = in_grace = 0
    for table in tables:
        marked += await _mark(bench.db, table)
        while (batch := await _collect(bench.db, table, grace_seconds)).looked_at:
            deleted += batch.deleted
            kept += batch.looked_at - batch.deleted
        async with bench.db.transaction() as tx:
            in_grace += await vector_garbage.count_marked(tx, table)
    index = await ensure_index(bench)
    counts_corrected = await reconcile_counts(bench.db, bench.target.collection_id)
    return UpkeepOutcome(marked, deleted, kept, in_grace, index, counts_corrected)


async def _mark(db: Database, table: VectorTable) -> int:
    """The whole table, in the order of its keys: a crash or a dismissed failure leaves vectors that no settle ever held."""
    marked, last = 0, b""
    while True:
        async with db.transaction() as tx:
            step = await vector_garbage.mark_unreferenced(tx, table, after=last, rows=_MARKED_AT_ONCE)
        marked += step.marked
        if step.last is None:
            return marked
        last = step.last


async def _collect(db: Database, table: VectorTable, grace_seconds: float) -> Collected:
    async with db.transaction() as tx:
        return await vector_garbage.collect(tx, table, grace_seconds=grace_seconds, rows=_COLLECTED_AT_ONCE)
