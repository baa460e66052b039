"""Building another model beside the active one: what it lacks, and copying documents' chunks and publications under it.

Not here: vectors (store/vectors), which model is which (store/collections), the order of it all (pipeline/model_build).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from embedding_assets.domain.documents import SHARDS
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries
from embedding_assets.store.vectors import VectorTable

_SQL = load_queries("model_builds")
_LOCK_SPACE = 7_214_907


@dataclass(frozen=True, slots=True)
class Models:
    """A collection, its active model, and the one that is built beside it."""

    collection_id: int
    active: int
    building: int


@dataclass(frozen=True, slots=True)
class LackingDocument:
    """A version that is published under the active model and not under the one that is built."""

    document_key: str
    version: int
    chunks: int
    title: str


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as it is stored; `headings` is None where it was published before they were kept."""

    content: str
    start: int
    headings: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class BuiltChunk:
    """What differs, or may be known by now, of a chunk under the one that is built."""

    document_key: str
    ordinal: int
    tokens: int
    input_hash: bytes
    headings: Sequence[str] | None


async def take_shards(connection: Tx, table: VectorTable, shards: Sequence[int]) -> list[int]:
    """Those of the shards that no other builder works; ours until `connection`, which is in autocommit, is closed."""
    keys = {(table.lock_key * SHARDS + shard) & 0x7FFF_FFFF: shard for shard in shards}
    cursor = await connection.execute(_SQL["take_shards"], {"keys": list(keys), "space": _LOCK_SPACE})
    return sorted(keys[row[0]] for row in await cursor.fetchall())


async def lacking(
    tx: Tx, models: Models, shards: Sequence[int], *, after: str, documents: int, chunks: int
) -> list[LackingDocument]:
    """The next documents of these shards after this key, in the order of their keys; none at the end.

    At most `documents`, and no more once they hold `chunks` together.
    """
    values = {**_ids(models), "shards": list(shards), "after": after, "documents": documents, "chunks": chunks}
    return [LackingDocument(*row) for row in await (await tx.execute(_SQL["lacking"], values)).fetchall()]


async def count_lacking(tx: Tx, models: Models) -> int:
    """Documents of all shards that the building model lacks."""
    row = await (await tx.execute(_SQL["count_lacking"], _ids(models))).fetchone()
    return row[0] if row else 0


async def lacks_any(tx: Tx, models: Models) -> bool:
    """Whether the building model lacks a document."""
    row = await (await tx.execute(_SQL["lacks_any"], _ids(models))).fetchone()
    return bool(row and row[0])


async def stored_chunks(
    tx: Tx, models: Models, documents: Sequence[LackingDocument]
) -> dict[LackingDocument, list[StoredChunk]]:
    """These documents' chunks in their order, without those that were published anew meanwhile."""
    values = {"collection_id": models.collection_id, "active": models.active, **_versions(documents)}
    chunks: dict[str, list[StoredChunk]] = {document.document_key: [] for document in documents}
    for key, *chunk in await (await tx.execute(_SQL["stored_chunks"], values)).fetchall():
        chunks[key].append(StoredChunk(*chunk))
    return {one: chunks[one.document_key] for one in documents if len(chunks[one.document_key]) == one.chunks}


async def contents(tx: Tx, models: Models, documents: Sequence[LackingDocument]) -> dict[str, str]:
    """The whole texts of those of these documents that were not published anew meanwhile, by key."""
    values = {"collection_id": models.collection_id, **_versions(documents)}
    return dict(await (await tx.execute(_SQL["contents"], values)).fetchall())


async def still_published(tx: Tx, models: Models, documents: Sequence[LackingDocument]) -> set[str]:
    """Keys of those whose version is still the one published under the active model."""
    values = {"collection_id": models.collection_id, "active": models.active, **_versions(documents)}
    return {row[0] for row in await (await tx.execute(_SQL["still_published"], values)).fetchall()}


async def copy(tx: Tx, models: Models, documents: Sequence[LackingDocument], chunks: Sequence[BuiltChunk]) -> None:
    """Publish these documents under the building model as they are published under the active one.

    The caller holds off settles, and has seen that every chunk's vector exists and that no version changed.
    """
    values = {
        **_ids(models),
        **_versions(documents),
        "chunk_keys": [chunk.document_key for chunk in chunks],
        "ordinals": [chunk.ordinal for chunk in chunks],
        "tokens": [chunk.tokens for chunk in chunks],
        "input_hashes": [chunk.input_hash for chunk in chunks],
        "headings": [None if chunk.headings is None else Jsonb(list(chunk.headings)) for chunk in chunks],
    }
    for query in ("drop_chunks", "copy_chunks", "copy_publications"):
        await tx.execute(_SQL[query], values)


def _ids(models: Models) -> dict[str, object]:
    return {"collection_id": models.collection_id, "active": models.active, "building": models.building}


def _versions(documents: Sequence[LackingDocument]) -> dict[str, object]:
    return {
        "document_keys": [document.document_key for document in documents],
        "versions": [document.version for document in documents],
    }
