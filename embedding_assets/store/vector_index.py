"""Builds the HNSW index of a vector table: after the load, on a connection of its own, by one builder at a time.

Loading first and building after is 3 to 5 times faster than maintaining the index row by row. Not here: when to (pipeline).
"""

from dataclasses import dataclass

from psycopg import sql
from psycopg.sql import Identifier
from typing_extensions import LiteralString

from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries
from embedding_assets.store.vectors import VectorTable

_SQL = load_queries("vector_index")
_SCHEMA = "embedding_assets"
_LOCK_SPACE = 7_214_906
_OPERATORS: dict[tuple[str, str], LiteralString] = {
    ("vector", "cosine"): "vector_cosine_ops",
    ("vector", "ip"): "vector_ip_ops",
    ("vector", "l2"): "vector_l2_ops",
    ("halfvec", "cosine"): "halfvec_cosine_ops",
    ("halfvec", "ip"): "halfvec_ip_ops",
    ("halfvec", "l2"): "halfvec_l2_ops",
}


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """pgvector's HNSW build parameters: `m` links per node and layer, `ef_construction` candidates while building."""

    m: int = 16
    ef_construction: int = 64


async def ensure_index(connection: Tx, table: VectorTable, options: IndexOptions, *, concurrently: bool) -> bool:
    """Build the index unless a valid one is there or another worker is building it; True when it was built now.

    `connection` must be in autocommit and direct: the advisory lock is the session's, and CONCURRENTLY refuses to run
    in a transaction. An invalid leftover of a killed build is dropped first: it would still be maintained.
    """
    lock: dict[str, object] = {"space": _LOCK_SPACE, "table": table.lock_key}
    if not await _scalar(connection, _SQL["lock_builder"], lock):
        return False
    valid = await _scalar(connection, _SQL["index_state"], {"index": f"{_SCHEMA}.{table.index_name}"})
    if valid:
        return False
    if valid is False:
        await connection.execute(_fill(_SQL["drop_index"], table, options))
    create = "create_index_concurrently" if concurrently else "create_index"
    await connection.execute(_fill(_SQL[create], table, options))
    await connection.execute(_fill(_SQL["analyze"], table, options))
    return True


async def _scalar(connection: Tx, query: LiteralString, values: dict[str, object]) -> object:
    row = await (await connection.execute(query, values)).fetchone()
    return row[0] if row else None


def _fill(query: LiteralString, table: VectorTable, options: IndexOptions) -> sql.Composed:
    return sql.SQL(query).format(
        embeddings=Identifier(_SCHEMA, table.name),
        index=Identifier(_SCHEMA, table.index_name),
        index_name=Identifier(table.index_name),
        operators=sql.SQL(_OPERATORS[table.model.storage, table.model.distance.value]),
        m=options.m,
        ef=options.ef_construction,
    )
