"""A queue of thousands in the states that used to make it slow, and how many rows statements read of it.

Not here: what is claimed from it.
"""

from collections.abc import Awaitable
from datetime import timedelta

from typing_extensions import LiteralString

from embedding_assets.store.database import Database, Tx
from embedding_assets_tests.support.collections import MadeCollection
from embedding_assets_tests.support.queue import NOON

ITEMS = 5_000
_TABLES = ("work_arrivals", "work_items", "obligations")
_WAITING: LiteralString = """
INSERT INTO embedding_assets.work_items (collection_id, document_key, lane, first_enqueued_at, generation, available_at)
SELECT %(id)s, 'document-' || n, 'live', %(noon)s, -n, %(noon)s::timestamptz + make_interval(secs => 0.001 * n)
FROM generate_series(1, %(items)s) AS n
"""
_PROMISED: LiteralString = """
INSERT INTO embedding_assets.obligations (collection_id, document_key, due_from, deadline, generation)
SELECT collection_id, document_key, first_enqueued_at, first_enqueued_at + interval '1 hour', generation
FROM embedding_assets.work_items
"""
_ARRIVED: LiteralString = """
INSERT INTO embedding_assets.work_arrivals (collection_id, document_key, changed_at, enqueued_at)
SELECT collection_id, document_key, available_at, available_at FROM embedding_assets.work_items
"""
_LEASED: LiteralString = """
UPDATE embedding_assets.work_items
SET lease_owner = 'other', fence = generation, claimed_generation = generation, claimed_at = %(noon)s, available_at = %(until)s
WHERE generation >= -%(leased)s
"""


async def fill(tx: Tx, docs: MadeCollection, *, items: int = ITEMS) -> None:
    """Items waiting since noon, a millisecond apart, each with a promise and one more change that has just arrived."""
    await tx.execute(_WAITING, {"id": docs.id, "noon": NOON, "items": items})
    await tx.execute(_PROMISED)
    await tx.execute(_ARRIVED)


async def lease(tx: Tx, items: int) -> None:
    """The first so many are leased to another worker for an hour from noon."""
    await tx.execute(_LEASED, {"noon": NOON, "until": NOON + timedelta(hours=1), "leased": items})


async def believe_it_empty(db: Database, docs: MadeCollection) -> None:
    """Fill, empty and vacuum, so that PostgreSQL knows of pages without rows; then fill again, which it does not know of."""
    async with db.transaction() as tx:
        await fill(tx, docs)
        for statement in _deletions():
            await tx.execute(statement)
    async with db.autocommit() as connection:
        # As when it could not truncate, because somebody reads the table.
        await connection.execute("VACUUM (ANALYZE, TRUNCATE false)")
    async with db.transaction() as tx:
        await fill(tx, docs)


async def rows_read(tx: Tx, step: Awaitable[object]) -> int:
    """Rows of the queue's tables that this step fetches, by index or by reading all."""
    before = await _fetched(tx)
    await step
    return await _fetched(tx) - before


async def _fetched(tx: Tx) -> int:
    query = """
        SELECT sum(seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_xact_user_tables
        WHERE schemaname = 'embedding_assets' AND relname = ANY(%s)
    """
    row = await (await tx.execute(query, [list(_TABLES)])).fetchone()
    assert row is not None
    return row[0]


def _deletions() -> list[LiteralString]:
    return [
        "DELETE FROM embedding_assets.work_arrivals",
        "DELETE FROM embedding_assets.work_items",
        "DELETE FROM embedding_assets.obligations",
    ]
