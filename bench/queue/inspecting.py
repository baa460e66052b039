"""What the queue looks like to PostgreSQL: the plan of a claim, the sizes of tables and indexes, whether autovacuum has been.

Not here: what is done to the queue before one looks.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import anyio

from embedding_assets.store.database import Database
from embedding_assets_tests.support.plans import CLAIM, Plan, claim_values, run_and_explain

_SIZES = """
SELECT relname, pg_table_size(relid), pg_indexes_size(relid) FROM pg_stat_user_tables
WHERE schemaname = 'embedding_assets' AND relname = ANY(%s) ORDER BY array_position(%s, relname::text)
"""
_CLEANED = """
SELECT bool_and(last_autovacuum > %s) FROM pg_stat_user_tables
WHERE schemaname = 'embedding_assets' AND relname IN ('work_items', 'obligations')
"""
_TABLES = ["work_arrivals", "work_items", "obligations"]


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of a table and of its indexes together."""

    table: int
    indexes: int


async def explain_claim(db: Database, collection_id: int, items: int, starts: Sequence[datetime | None]) -> Plan:
    """A claim over all shards, run and rolled back; `starts` is where it starts in each, empty for the beginning."""
    async with db.transaction() as tx:
        plan = await run_and_explain(tx, CLAIM, claim_values(collection_id, items=items, starts=list(starts)))
        await tx.execute("ROLLBACK AND CHAIN")
    return plan


async def sizes(db: Database) -> Mapping[str, Size]:
    """Of every table of the queue."""
    async with db.transaction() as tx:
        rows = await (await tx.execute(_SIZES, [_TABLES, _TABLES])).fetchall()
    return {name: Size(table, indexes) for name, table, indexes in rows}


async def vacuum(db: Database) -> None:
    """What an operator may do by hand."""
    async with db.autocommit() as connection:
        await connection.execute(
            "VACUUM embedding_assets.work_arrivals, embedding_assets.work_items, embedding_assets.obligations"
        )


async def autovacuum_has_been(db: Database, patience: float) -> bool:
    """Wait until it has visited the tables a draining writes, no longer than `patience` seconds; whether it has."""
    async with db.transaction() as tx:
        row = await (await tx.execute("SELECT clock_timestamp()")).fetchone()
    assert row is not None
    end = time.monotonic() + patience
    while time.monotonic() < end:
        async with db.transaction() as tx:
            cleaned = await (await tx.execute(_CLEANED, [row[0]])).fetchone()
        if cleaned and cleaned[0]:
            return True
        await anyio.sleep(1)
    return False
