"""Documents published directly through the store: prepared, given vectors, shown."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from embedding_assets.domain.chunking import Chunk
from embedding_assets.domain.documents import Document, shard_of
from embedding_assets.domain.models import input_hash
from embedding_assets.domain.work import ClaimedItem, Lane, PreparedChunk, PreparedDocument
from embedding_assets.store import corpus, vectors
from embedding_assets.store.database import Tx
from embedding_assets_tests.support.collections import CHUNKER, MadeCollection
from embedding_assets_tests.support.queue import NOON


def prepared(
    document_key: str,
    chunks: Sequence[str],
    *,
    version: int = 1,
    title: str = "",
    uri: str = "",
    metadata: Mapping[str, object] | None = None,
    source_updated_at: datetime | None = None,
    headings: Sequence[str] = (),
) -> PreparedDocument:
    """A document whose content is these chunks, one after another, as the claim with fence `version` fetched it."""
    document = Document(document_key, "".join(chunks), title, uri, metadata or {}, source_updated_at)
    item = ClaimedItem(document_key, shard_of(document_key), Lane.LIVE, version, version, NOON)
    parts: list[PreparedChunk] = []
    for ordinal, text in enumerate(chunks):
        start = sum(map(len, chunks[:ordinal]))
        chunk = Chunk(ordinal, start, start + len(text), text, tuple(headings))
        parts.append(PreparedChunk(chunk, text, input_hash(text), len(text)))
    return PreparedDocument(item, document, document.content_hash(), tuple(parts))


async def publish(tx: Tx, collection: MadeCollection, *documents: PreparedDocument, chunker: str = CHUNKER) -> None:
    """Publish them as a settle does; vectors are stored apart."""
    await corpus.publish(tx, collection.id, collection.model_id, chunker, documents)


async def store(tx: Tx, collection: MadeCollection, texts: Mapping[str, Sequence[float]]) -> None:
    """Store these vectors under the hashes of these inputs."""
    await vectors.store_vectors(tx, collection.table, [input_hash(text) for text in texts], matrix(*texts.values()))


def matrix(*rows: Sequence[float]) -> NDArray[np.float32]:
    """The rows as float32 of shape (inputs, dimensions)."""
    return np.array(rows, dtype=np.float32)
