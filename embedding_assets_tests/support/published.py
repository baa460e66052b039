"""What is published, read back for comparison: the state two runs must agree on."""

import json
from dataclasses import dataclass

from psycopg import sql

from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import vectors


@dataclass(frozen=True, slots=True)
class PublishedChunk:
    """One chunk as search would show it."""

    ordinal: int
    content: str
    start: int
    end: int
    input_hash: bytes


async def published_chunks(bench: Workbench) -> dict[str, list[PublishedChunk]]:
    """Chunks of every published document in their order, by key; a document without chunks has an empty list."""
    async with bench.db.transaction() as tx:
        cursor = await tx.execute(
            """
            SELECT p.document_key, c.ordinal, c.content, c.start_char, c.end_char, c.input_hash
            FROM embedding_assets.publications AS p
            LEFT JOIN embedding_assets.chunks AS c USING (collection_id, model_id, document_key, version)
            WHERE p.collection_id = %s ORDER BY 1, 2
            """,
            [bench.target.collection_id],
        )
        chunks: dict[str, list[PublishedChunk]] = {}
        for key, *chunk in await cursor.fetchall():
            chunks.setdefault(key, [])
            if chunk[0] is not None:
                chunks[key].append(PublishedChunk(*chunk))
        return chunks


async def queue_is_empty(bench: Workbench) -> bool:
    """No arrival, no item, no shard held."""
    async with bench.db.transaction() as tx:
        cursor = await tx.execute(
            """
            SELECT NOT EXISTS (SELECT FROM embedding_assets.work_arrivals)
               AND NOT EXISTS (SELECT FROM embedding_assets.work_items)
               AND NOT EXISTS (SELECT FROM embedding_assets.shard_leases WHERE owner IS NOT NULL)
            """
        )
        row = await cursor.fetchone()
        return bool(row and row[0])


async def stored_vectors(bench: Workbench) -> dict[str, list[float]]:
    """The vector of every published chunk, by the chunk's text; a chunk without one is absent."""
    table = sql.Identifier("embedding_assets", bench.target.table.name)
    query = sql.SQL(
        "SELECT c.content, e.embedding::text FROM embedding_assets.chunks AS c JOIN {} AS e USING (input_hash)"
    ).format(table)
    async with bench.db.transaction() as tx:
        cursor = await tx.execute(query)
        return {content: json.loads(vector) for content, vector in await cursor.fetchall()}


async def count_stored_vectors(bench: Workbench) -> int:
    """Rows of the collection's vector table, referenced or not."""
    async with bench.db.transaction() as tx:
        return await vectors.count_vectors(tx, bench.target.table)


async def content_hashes(bench: Workbench) -> dict[str, bytes]:
    """The stored content hash of every document that is not deleted."""
    async with bench.db.transaction() as tx:
        cursor = await tx.execute(
            "SELECT document_key, content_hash FROM embedding_assets.documents WHERE collection_id = %s AND deleted_at IS NULL",
            [bench.target.collection_id],
        )
        return dict(await cursor.fetchall())
