"""How good the HNSW index is: whether it is being built, and what search by it finds of what exact search finds.

Not here: building it (vector_index), what is good enough (domain/health).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries
from embedding_assets.store.vectors import VectorTable

_SQL = load_queries("index_quality")
_SCHEMA = "embedding_assets"
_OPERATORS = {"cosine": "<=>", "ip": "<#>", "l2": "<->"}


@dataclass(frozen=True, slots=True)
class SampledVector:
    """A stored vector to search with, as PostgreSQL writes it, and a document that holds its input."""

    document_key: str
    vector: str


async def is_being_built(tx: Tx, table: VectorTable) -> bool:
    """Whether some session is building an index of this table now."""
    row = await (await tx.execute(_SQL["is_being_built"], {"table": f"{_SCHEMA}.{table.name}"})).fetchone()
    return bool(row and row[0])


async def sampled_vectors(tx: Tx, table: VectorTable, *, count: int, start: bytes) -> Sequence[SampledVector]:
    """Up to `count` published vectors, those whose inputs' hashes follow `start`: as random as that is."""
    query = sql.SQL(_SQL["sampled_vectors"]).format(embeddings=sql.Identifier(_SCHEMA, table.name))
    values = {"collection_id": table.collection_id, "model_id": table.model_id, "start": start, "count": count}
    return [SampledVector(*row) for row in await (await tx.execute(query, values)).fetchall()]


async def found_by_index(tx: Tx, table: VectorTable, sampled: SampledVector, *, k: int) -> tuple[int, int]:
    """How many of the k nearest search by the index finds, and how many there are."""
    values = {
        "table": f"{_SCHEMA}.{table.name}",
        "operator": _OPERATORS[table.model.distance.value],
        "query": sampled.vector,
        "collection_id": table.collection_id,
        "model_id": table.model_id,
        "k": k,
    }
    row = await (await tx.execute(_SQL["found_by_index"], values)).fetchone()
    return (row[0], row[1]) if row else (0, 0)
