"""Vectors by the hash of their input: one typed table per collection and model, filled by COPY BINARY.

Rows are inserted and deleted, never updated. Not here: which document holds an input (store/corpus), the HNSW index
(store/vector_index), search (store/search).
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from psycopg.sql import Composed, Identifier
from typing_extensions import LiteralString

from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("vectors")
_SCHEMA = "embedding_assets"
# The first half of the two-part advisory lock key; the second is the table's model and collection.
_LOCK_SPACE = 7_214_905

# PostgreSQL's binary COPY: signature, flags, extension length; and the trailer's field count of -1.
_COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_COPY_TRAILER = b"\xff\xff"


@dataclass(frozen=True, slots=True)
class VectorTable:
    """The table of one collection's vectors under one model."""

    collection_id: int
    model_id: int
    model: EmbeddingModel

    @property
    def name(self) -> str:
        """Its name in the schema `embedding_assets`."""
        return table_name(self.collection_id, self.model_id)

    @property
    def index_name(self) -> str:
        """The name of its HNSW index."""
        return f"{self.name}_hnsw"

    @property
    def lock_key(self) -> int:
        """Second half of the advisory lock between settle and the collector of unreferenced vectors."""
        return (self.collection_id * 65_599 + self.model_id) & 0x7FFF_FFFF


@dataclass(frozen=True, slots=True)
class MissingInput:
    """A published input without a usable vector; `content`, `title` and `headings` make the input again."""

    input_hash: bytes
    content: str
    title: str
    headings: Sequence[str]
    tokens: int


@dataclass(frozen=True, slots=True)
class TableFacts:
    """State of the table and its index; sizes in bytes, rows as the planner estimates them."""

    exists: bool
    rows: int
    table_bytes: int
    index_bytes: int
    index_valid: bool | None


def table_name(collection_id: int, model_id: int) -> str:
    """The table of a collection's vectors under a model, in the schema `embedding_assets`."""
    return f"embeddings_{collection_id}_{model_id}"


async def create_table(tx: Tx, table: VectorTable) -> None:
    """Create the table unless it is there. PLAIN storage where a vector fits a page's row (8,000 bytes)."""
    if (await table_facts(tx, table)).exists:
        return
    await tx.execute(_SQL["lock_creation"], {"space": _LOCK_SPACE, "table": table.lock_key})
    column = sql.SQL("{}({})").format(Identifier(table.model.storage), table.model.dimensions)
    await tx.execute(_fill(_SQL["create_table"], table, type=column))
    if _datum_bytes(table.model) <= 8000:
        await tx.execute(_fill(_SQL["set_plain_storage"], table))


async def store_vectors(
    tx: Tx, table: VectorTable, input_hashes: Sequence[bytes], vectors: NDArray[np.float32]
) -> None:
    """Store vectors of shape (inputs, dimensions) under their inputs' hashes; those already there stay as they are.

    Raises:
        ValueError: another shape, which numpy might stretch to fit.
        StoreError: `invalid_data` where the table holds another dimension, or a number is not finite.
    """
    if vectors.shape != (len(input_hashes), table.model.dimensions):
        raise ValueError(f"vectors of shape {vectors.shape}, not {(len(input_hashes), table.model.dimensions)}")
    await tx.execute(_fill(_SQL["create_staging"], table))
    async with tx.cursor() as cursor, cursor.copy(_fill(_SQL["copy_vectors"], table)) as copy:
        await copy.write(_binary_rows(table.model, input_hashes, vectors))
    await tx.execute(_fill(_SQL["merge_vectors"], table))


async def missing_inputs(tx: Tx, table: VectorTable, input_hashes: Sequence[bytes]) -> set[bytes]:
    """Those of the inputs that have no vector."""
    cursor = await tx.execute(_fill(_SQL["missing_inputs"], table), {"input_hashes": list(input_hashes)})
    return {row[0] for row in await cursor.fetchall()}


async def hold_off_collector(tx: Tx, table: VectorTable) -> None:
    """Must be a settle's first statement: until its end no vector of this table is collected."""
    await tx.execute(_SQL["hold_off_collector"], {"space": _LOCK_SPACE, "table": table.lock_key})


async def hold_off_settles(tx: Tx, table: VectorTable) -> None:
    """Waits for the settles in progress and holds off new ones: of the collector, and of whoever changes publications or models."""
    await tx.execute(_SQL["hold_off_settles"], {"space": _LOCK_SPACE, "table": table.lock_key})


@asynccontextmanager
async def settles_held_off(connection: Tx, table: VectorTable) -> AsyncGenerator[None, None]:
    """The same without a transaction, for the length of the block; `connection` is in autocommit.

    Only transactions of this very connection pass. Closing it lets the settles go, whatever became of the block.
    """
    values = {"space": _LOCK_SPACE, "table": table.lock_key}
    await connection.execute(_SQL["hold_off_settles_beyond"], values)
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await connection.execute(_SQL["let_settles_go"], values)


async def inputs_without_vectors(
    tx: Tx, table: VectorTable, shards: Sequence[int], *, inputs: int, after: bytes = b""
) -> list[MissingInput]:
    """The next `inputs` published inputs of these shards after this hash whose vector is missing or zero, by hash."""
    values = {
        "collection_id": table.collection_id,
        "model_id": table.model_id,
        "shards": list(shards),
        "inputs": inputs,
        "after": after,
    }
    cursor = await tx.execute(_fill(_SQL["inputs_without_vectors"], table), values)
    return [MissingInput(*row) for row in await cursor.fetchall()]


async def delete_zero_vectors(tx: Tx, table: VectorTable, input_hashes: Sequence[bytes]) -> None:
    """Remove those of these vectors that are zero, so that they can be stored anew."""
    await tx.execute(_fill(_SQL["delete_zero_vectors"], table), {"input_hashes": list(input_hashes)})


async def table_facts(tx: Tx, table: VectorTable) -> TableFacts:
    """Size and index state, from the catalogue alone."""
    names = {"table": f"{_SCHEMA}.{table.name}", "index": f"{_SCHEMA}.{table.index_name}"}
    row = await (await tx.execute(_SQL["table_facts"], names)).fetchone()
    return TableFacts(*row) if row else TableFacts(False, 0, 0, 0, None)


async def count_vectors(tx: Tx, table: VectorTable) -> int:
    """Rows of the table, counted."""
    row = await (await tx.execute(_fill(_SQL["count_vectors"], table))).fetchone()
    return row[0] if row else 0


def _fill(query: LiteralString, table: VectorTable, **parts: sql.Composable) -> Composed:
    halfvec = table.model.storage == "halfvec"
    return sql.SQL(query).format(
        embeddings=Identifier(_SCHEMA, table.name),
        staging=Identifier("pg_temp", f"staging_{table.name}"),
        norm=sql.SQL("l2_norm") if halfvec else sql.SQL("vector_norm"),
        **parts,
    )


def _datum_bytes(model: EmbeddingModel) -> int:
    return 8 + model.dimensions * (2 if model.storage == "halfvec" else 4)


def _binary_rows(model: EmbeddingModel, input_hashes: Sequence[bytes], vectors: NDArray[np.float32]) -> bytes:
    """Rows (bytea, vector) in COPY's binary form, big-endian: made whole by numpy, not value by value."""
    size = 2 if model.storage == "halfvec" else 4
    row = np.dtype(
        [
            ("fields", ">i2"),
            ("hash_length", ">i4"),
            ("hash", "V32"),
            ("vector_length", ">i4"),
            ("dimensions", ">i2"),
            ("unused", ">i2"),
            ("vector", f">f{size}", (model.dimensions,)),
        ]
    )
    rows = np.zeros(len(input_hashes), dtype=row)
    rows["fields"] = 2
    rows["hash_length"] = 32
    rows["hash"] = np.frombuffer(b"".join(input_hashes), dtype="V32")
    rows["vector_length"] = 4 + size * model.dimensions
    rows["dimensions"] = model.dimensions
    rows["vector"] = vectors
    return _COPY_HEADER + rows.tobytes() + _COPY_TRAILER
