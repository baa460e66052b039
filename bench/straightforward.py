"""The loop most people write first: read a document, chunk it, ask the model, write its rows, commit; then the next.

It keeps no queue, no history and no promise; it shares our chunker, so that both send the same inputs.
"""

from collections.abc import Mapping

from psycopg import sql

from embedding_assets.domain.chunking import chunk_text
from embedding_assets.pipeline.workbench import Workbench

_CREATE = "CREATE TABLE IF NOT EXISTS bench_loop (document_key text, ordinal integer, content text, embedding vector)"


async def embed_one_by_one(bench: Workbench, texts: Mapping[str, str]) -> None:
    """Embed every document from nothing into a plain table."""
    async with bench.db.transaction() as tx:
        await tx.execute(_CREATE)
        await tx.execute(sql.SQL("TRUNCATE bench_loop"))
    for key in texts:
        document = bench.source.fetch(key)
        chunks = chunk_text(bench.target.chunking, document.content)
        reply = await bench.embedder.embed([chunk.content for chunk in chunks])
        async with bench.db.transaction() as tx:
            for chunk, vector in zip(chunks, reply.vectors, strict=True):
                await tx.execute(
                    "INSERT INTO bench_loop VALUES (%s, %s, %s, %s)",
                    [key, chunk.ordinal, chunk.content, str(vector.tolist())],
                )
