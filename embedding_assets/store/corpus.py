"""Documents, chunks and publications: what settle writes in one transaction, and what is read to decide.

Vectors are not here (store/vectors): they are stored before a settle, under the hash of their input.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from embedding_assets.domain.failures import ErrorType, StoreError
from embedding_assets.domain.work import PreparedDocument, PublishedState
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("corpus")
_CHUNK_TYPES = ["int4", "int4", "text", "int8", "int4", "text", "int4", "int4", "text[]", "int4", "bytea"]


@dataclass(frozen=True, slots=True)
class StoredText:
    """A stored document as far as it makes inputs."""

    document_key: str
    title: str
    content: str


async def published_state(
    tx: Tx, collection_id: int, model_id: int, document_keys: Sequence[str]
) -> dict[str, PublishedState]:
    """What search shows of these documents; keys that are not published are absent."""
    values = {"collection_id": collection_id, "model_id": model_id, "document_keys": list(document_keys)}
    cursor = await tx.execute(_SQL["published_state"], values)
    return {key: PublishedState(content_hash, chunker) for key, content_hash, chunker in await cursor.fetchall()}


async def publish(
    tx: Tx, collection_id: int, model_id: int, chunker_fingerprint: str, documents: Sequence[PreparedDocument]
) -> None:
    """Replace what is published of these documents by these versions. The version is the fence of the claim.

    The caller holds the claims' rows and has seen that every input's vector exists.
    """
    ordered = sorted(documents, key=lambda prepared: prepared.item.document_key)
    await tx.execute(_SQL["upsert_documents"], _document_columns(collection_id, ordered))
    await _replace_chunks(tx, collection_id, model_id, ordered)
    values = {
        "collection_id": collection_id,
        "model_id": model_id,
        "chunker_fingerprint": chunker_fingerprint,
        "document_keys": [prepared.item.document_key for prepared in ordered],
        "versions": [prepared.item.fence for prepared in ordered],
        "chunks": [len(prepared.chunks) for prepared in ordered],
    }
    await tx.execute(_SQL["upsert_publications"], values)


async def drop_versions(
    tx: Tx, collection_id: int, replaced: Sequence[PreparedDocument], erased: Sequence[str]
) -> None:
    """Drop the chunks of all these documents; must come before `publish` and `erase` where a transaction does both.

    Each of them marks unreferenced vectors in their order; one after the other, two settles with inputs in common deadlocked.
    """
    keys = [*(prepared.item.document_key for prepared in replaced), *erased]
    await _drop_chunks(tx, collection_id, keys, replaced)


async def erase(tx: Tx, collection_id: int, document_keys: Sequence[str]) -> None:
    """Take documents out of search and drop their content, whatever model they were published under."""
    await _drop_chunks(tx, collection_id, document_keys, [])
    values: dict[str, object] = {"collection_id": collection_id, "document_keys": list(document_keys)}
    await tx.execute(_SQL["delete_publications"], values)
    await tx.execute(_SQL["erase_documents"], values)


async def known_keys(tx: Tx, collection_id: int, shards: Sequence[int]) -> list[str]:
    """Every document of these shards that is stored or listed, sorted."""
    values = {"collection_id": collection_id, "shards": list(shards)}
    return [row[0] for row in await (await tx.execute(_SQL["known_keys"], values)).fetchall()]


async def content_hashes(tx: Tx, collection_id: int, document_keys: Sequence[str]) -> dict[str, bytes]:
    """The stored content hash of those of these documents that are stored."""
    values = {"collection_id": collection_id, "document_keys": list(document_keys)}
    return {row[0]: row[1] for row in await (await tx.execute(_SQL["content_hashes"], values)).fetchall()}


async def stale_keys(tx: Tx, collection_id: int, shards: Sequence[int], *, most: int | None = None) -> list[str]:
    """Documents of these shards published under another chunker than the collection's and not queued yet, sorted."""
    values = {"collection_id": collection_id, "shards": list(shards), "most": most}
    return [row[0] for row in await (await tx.execute(_SQL["stale_keys"], values)).fetchall()]


async def stale_texts(
    tx: Tx, collection_id: int, model_id: int, chunker_fingerprint: str, *, after: str, documents: int, size: int
) -> list[StoredText]:
    """The next documents after this key that were published under another chunker, queued or not; none at the end.

    At most `documents`, and no more once they hold `size` bytes together.
    """
    values = {
        "collection_id": collection_id,
        "model_id": model_id,
        "chunker_fingerprint": chunker_fingerprint,
        "after": after,
        "documents": documents,
        "size": size,
    }
    return [StoredText(*row) for row in await (await tx.execute(_SQL["stale_texts"], values)).fetchall()]


async def corpus_counts(tx: Tx, collection_id: int, model_id: int) -> tuple[int, int]:
    """(documents, chunks) published."""
    values = {"collection_id": collection_id, "model_id": model_id}
    row = await (await tx.execute(_SQL["corpus_counts"], values)).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def _document_columns(collection_id: int, ordered: Sequence[PreparedDocument]) -> dict[str, object]:
    documents = [prepared.document for prepared in ordered]
    return {
        "collection_id": collection_id,
        "document_keys": [prepared.item.document_key for prepared in ordered],
        "versions": [prepared.item.fence for prepared in ordered],
        "contents": [document.content for document in documents],
        "content_hashes": [prepared.content_hash for prepared in ordered],
        "titles": [document.title for document in documents],
        "uris": [document.uri for document in documents],
        "metadata": [Jsonb(dict(document.metadata), dumps=_dumps) for document in documents],
        "source_updated_at": [document.source_updated_at for document in documents],
    }


def _dumps(value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        message = "the document's metadata holds NaN or infinity, which JSON has not; correct it at the source"
        raise StoreError(ErrorType.INVALID_DATA, message) from None


async def _drop_chunks(
    tx: Tx, collection_id: int, document_keys: Sequence[str], replacements: Sequence[PreparedDocument]
) -> None:
    kept = {chunk.input_hash for prepared in replacements for chunk in prepared.chunks}
    values = {"collection_id": collection_id, "document_keys": list(document_keys), "kept": list(kept)}
    await tx.execute(_SQL["drop_chunks"], values)


async def _replace_chunks(tx: Tx, collection_id: int, model_id: int, ordered: Sequence[PreparedDocument]) -> None:
    await _drop_chunks(tx, collection_id, [prepared.item.document_key for prepared in ordered], ordered)
    async with tx.cursor() as cursor, cursor.copy(_SQL["copy_chunks"]) as copy:
        copy.set_types(_CHUNK_TYPES)
        for prepared in ordered:
            key, fence = prepared.item.document_key, prepared.item.fence
            for part in prepared.chunks:
                chunk = part.chunk
                place = (chunk.ordinal, chunk.content, chunk.start, chunk.end, list(chunk.headings))
                await copy.write_row((collection_id, model_id, key, fence, *place, part.tokens, part.input_hash))
