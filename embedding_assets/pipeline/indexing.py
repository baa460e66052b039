"""When the HNSW index is built: after the first load, once there is enough to search that exact order gets slow."""

from dataclasses import dataclass

import anyio

from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import vector_index, vectors, work_queue
from embedding_assets.store.database import Tx
from embedding_assets.store.vectors import VectorTable

# With more than a fifth of the table still to come, loading first and building once is quicker: an index that is there
# already holds inserts to a fifth of their rate.
_BACKLOG_SHARE = 5
_LOOK_AGAIN_SECONDS = 1.0
# Below this an exact scan answers in milliseconds, and every insert into an index would cost more than it saves.
INDEX_AT_LEAST_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class IndexOutcome:
    """Whether the index was built now, and the table's rows when that was decided."""

    built: bool
    rows: int


async def ensure_index(bench: Workbench, *, at_least_rows: int = INDEX_AT_LEAST_ROWS) -> IndexOutcome:
    """Build the collection's index when it has none, its table holds `at_least_rows` vectors and the load is over.

    CONCURRENTLY, so that search and other workers' inserts go on meanwhile.
    """
    table = bench.target.table
    async with bench.db.transaction() as tx:
        facts = await vectors.table_facts(tx, table)
        if not facts.exists or facts.index_valid:
            return IndexOutcome(False, facts.rows)
        rows = await vectors.count_vectors(tx, table)
        loading = await is_loading(tx, table, rows)
    if rows < at_least_rows or loading:
        return IndexOutcome(False, rows)
    async with bench.db.autocommit() as connection:
        built = await vector_index.ensure_index(connection, table, bench.target.index, concurrently=True)
    return IndexOutcome(built, rows)


async def ensure_index_before_search(bench: Workbench, *, at_least_rows: int = INDEX_AT_LEAST_ROWS) -> IndexOutcome:
    """Build the index of a table that is complete and not searched yet; waits where another worker is building it."""
    while True:
        async with bench.db.transaction() as tx:
            facts = await vectors.table_facts(tx, bench.target.table)
            rows = facts.rows if facts.index_valid else await vectors.count_vectors(tx, bench.target.table)
        if facts.index_valid or rows < at_least_rows:
            return IndexOutcome(False, rows)
        async with bench.db.autocommit() as connection:
            # Nobody reads the table, so that it may be locked: a plain build is quicker than a concurrent one.
            if await vector_index.ensure_index(connection, bench.target.table, bench.target.index, concurrently=False):
                return IndexOutcome(True, rows)
        await anyio.sleep(_LOOK_AGAIN_SECONDS)


async def is_loading(tx: Tx, table: VectorTable, rows: int) -> bool:
    """Whether so much is still to come that the index waits; `rows` are those of the table."""
    most = rows // _BACKLOG_SHARE + 1
    return await work_queue.backlog(tx, table.collection_id, up_to=most) == most
