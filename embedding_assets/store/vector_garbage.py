"""Vectors that nobody holds any more: marked, and deleted after a grace if that is still so.

A mark is only a suspicion. Whoever deletes first takes the exclusive form of the lock that a settle holds in its shared
form, and asks again in a later statement. Not here: when it is done, or how long the grace is (pipeline).
"""

from dataclasses import dataclass
from datetime import datetime

from psycopg import sql
from psycopg.sql import Composed, Identifier
from typing_extensions import LiteralString

from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries
from embedding_assets.store.vectors import VectorTable, hold_off_settles

_SQL = load_queries("vector_garbage")
_SCHEMA = "embedding_assets"


@dataclass(frozen=True, slots=True)
class Marked:
    """One step over the table in the order of its keys: `last` is where the next begins, None at the end."""

    marked: int
    last: bytes | None


@dataclass(frozen=True, slots=True)
class Collected:
    """One batch: marks looked at, vectors deleted; the rest was held again and lost its mark."""

    looked_at: int
    deleted: int


async def mark_unreferenced(tx: Tx, table: VectorTable, *, after: bytes, rows: int) -> Marked:
    """Mark those of the next `rows` vectors that no chunk holds; finds what no publication ever held."""
    values = {**_of(table), "after": after, "rows": rows}
    row = await (await tx.execute(_fill(_SQL["mark_unreferenced"], table), values)).fetchone()
    assert row is not None
    return Marked(*row)


async def collect(
    tx: Tx, table: VectorTable, *, grace_seconds: float, rows: int = 500, now: datetime | None = None
) -> Collected:
    """Delete up to `rows` vectors that were marked `grace_seconds` ago and that no chunk holds now.

    Waits for the settles in progress, and holds off new ones until the transaction ends.
    """
    await hold_off_settles(tx, table)
    values = {**_of(table), "grace_seconds": grace_seconds, "rows": rows, "now": now}
    row = await (await tx.execute(_fill(_SQL["collect"], table), values)).fetchone()
    assert row is not None
    return Collected(*row)


async def count_marked(tx: Tx, table: VectorTable) -> int:
    """Vectors that wait for their grace to end."""
    row = await (await tx.execute(_SQL["count_marked"], _of(table))).fetchone()
    return row[0] if row else 0


def _of(table: VectorTable) -> dict[str, object]:
    return {"collection_id": table.collection_id, "model_id": table.model_id}


def _fill(query: LiteralString, table: VectorTable) -> Composed:
    return sql.SQL(query).format(embeddings=Identifier(_SCHEMA, table.name))
