"""The table of a collection's vectors: made once without stopping anybody, and the lock between settle and the collector."""

import anyio
import numpy as np
import pytest
from numpy.typing import NDArray

from embedding_assets.domain.failures import StoreError
from embedding_assets.domain.models import input_hash
from embedding_assets.store import vectors
from embedding_assets.store.database import Database
from embedding_assets.store.vectors import VectorTable
from embedding_assets_tests.support.collections import make_collection
from embedding_assets_tests.support.database import on_database, waiting_for_a_lock


@on_database
async def test_a_table_is_made_once_by_workers_that_start_at_once(db: Database) -> None:
    docs = await make_collection(db)
    table = VectorTable(docs.id, 77, docs.table.model)

    async def start() -> None:
        async with db.transaction() as tx:
            await vectors.create_table(tx, table)

    async with anyio.create_task_group() as tasks, db.transaction() as tx:
        await vectors.create_table(tx, table)
        tasks.start_soon(start)
        await waiting_for_a_lock(db)
    async with db.transaction() as tx:
        assert (await vectors.table_facts(tx, table)).exists


@on_database
async def test_a_run_that_starts_does_not_wait_for_a_search_in_progress(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as searching, db.transaction() as starting:
        await vectors.count_vectors(searching, docs.table)
        await starting.execute("SET LOCAL lock_timeout = '5s'")
        await vectors.create_table(starting, docs.table)


@pytest.mark.parametrize(
    ("storage", "dimensions", "kept"),
    [("vector", 1998, "p"), ("vector", 1999, "e"), ("halfvec", 3996, "p"), ("halfvec", 3997, "e")],
)
@on_database
async def test_a_vector_stays_in_its_row_where_it_fits_a_page(
    db: Database, storage: str, dimensions: int, kept: str
) -> None:
    docs = await make_collection(db, storage=storage, dimensions=dimensions)
    async with db.transaction() as tx:
        query = "SELECT attstorage FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = 'embedding'"
        row = await (await tx.execute(query, [f"embedding_assets.{docs.table.name}"])).fetchone()
        assert row == (kept,)
        widest: NDArray[np.float32] = np.ones((1, dimensions), dtype=np.float32)
        await vectors.store_vectors(tx, docs.table, [input_hash("a")], widest)


@on_database
async def test_the_facts_of_a_table_come_from_the_catalogue(db: Database) -> None:
    docs = await make_collection(db)
    async with db.transaction() as tx:
        facts = await vectors.table_facts(tx, docs.table)
        assert (facts.exists, facts.rows, facts.index_bytes, facts.index_valid) == (True, 0, 0, None)
        none = await vectors.table_facts(tx, VectorTable(docs.id, 99, docs.table.model))
        assert (none.exists, none.rows, none.table_bytes, none.index_valid) == (False, 0, 0, None)


@on_database
async def test_a_settle_and_the_collector_hold_each_other_off(db: Database) -> None:
    docs, others = await make_collection(db), await make_collection(db, "others")

    async def begin_to_settle(table: VectorTable) -> None:
        async with db.transaction() as tx:
            await tx.execute("SET LOCAL lock_timeout = '50ms'")
            await vectors.hold_off_collector(tx, table)

    async with db.transaction() as settling:
        await vectors.hold_off_collector(settling, docs.table)
        async with db.transaction() as tx:
            found = """
                SELECT classid::integer, objid::integer FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
                WHERE locktype = 'advisory' AND datname = current_database()
            """
            lock = await (await tx.execute(found)).fetchone()
            assert await (await tx.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", lock)).fetchone() == (False,)
        await begin_to_settle(docs.table)
    async with db.transaction() as collecting:
        await collecting.execute("SELECT pg_advisory_xact_lock(%s, %s)", lock)
        await begin_to_settle(others.table)
        with pytest.raises(StoreError, match="lock timeout"):
            await begin_to_settle(docs.table)
