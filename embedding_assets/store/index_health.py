"""Around a vector index: dead rows, the memory the server has.

Not here: its validity and size (vectors), recall (index_quality).
"""

from dataclasses import dataclass

from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries
from embedding_assets.store.vectors import VectorTable

_SQL = load_queries("index_health")
_SCHEMA = "embedding_assets"


@dataclass(frozen=True, slots=True)
class IndexSurroundings:
    """Rows as PostgreSQL's statistics count them, sizes in bytes; `m` is the index's links per node."""

    live_rows: float
    dead_rows: float
    maintenance_memory: float
    shared_buffers: float
    cache: float
    m: int


async def facts(tx: Tx, table: VectorTable) -> IndexSurroundings:
    """As of now."""
    values = {"table": f"{_SCHEMA}.{table.name}", "index": f"{_SCHEMA}.{table.index_name}"}
    row = await (await tx.execute(_SQL["facts"], values)).fetchone()
    assert row is not None
    return IndexSurroundings(*row)
