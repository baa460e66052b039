"""A corpus large enough for an index: clustered vectors, as real embeddings are, one chunk per document."""

import numpy as np
from numpy.typing import NDArray

from embedding_assets.domain.models import input_hash
from embedding_assets.store import vectors
from embedding_assets.store.database import Database
from embedding_assets_tests.support.collections import CHUNKER, MadeCollection

DIMENSIONS = 32
CLUSTERS = 100


def clustered_vectors(rows: int) -> NDArray[np.float32]:
    """Of shape (rows, 32); row n lies in cluster n mod 100."""
    random = np.random.default_rng(20_260_301)
    centres = random.standard_normal((CLUSTERS, DIMENSIONS))
    return (centres[np.arange(rows) % CLUSTERS] + 0.3 * random.standard_normal((rows, DIMENSIONS))).astype(np.float32)


async def fill_clusters(db: Database, docs: MadeCollection, given: NDArray[np.float32]) -> None:
    """Publish a document `d0`, `d1` … for each of these vectors, with metadata {"cluster": n mod 100, "half": n mod 2}."""
    rows = len(given)
    async with db.transaction() as tx:
        await vectors.store_vectors(tx, docs.table, [input_hash(f"text {n}") for n in range(rows)], given)
        values = {"collection": docs.id, "model": docs.model_id, "rows": rows, "clusters": CLUSTERS, "chunker": CHUNKER}
        await tx.execute(
            """
            WITH source AS (
                SELECT 'd' || n AS key, n, 'text ' || n AS text FROM generate_series(0, %(rows)s - 1) AS n
            ), documents AS (
                INSERT INTO embedding_assets.documents
                    (collection_id, document_key, version, content, content_hash, metadata)
                SELECT %(collection)s, key, 1, text, sha256(text::bytea),
                       jsonb_build_object('cluster', n %% %(clusters)s, 'half', n %% 2) FROM source
            ), publications AS (
                INSERT INTO embedding_assets.publications
                    (collection_id, model_id, document_key, version, chunker_fingerprint, chunks)
                SELECT %(collection)s, %(model)s, key, 1, %(chunker)s, 1 FROM source
            )
            INSERT INTO embedding_assets.chunks (collection_id, model_id, document_key, version, ordinal, content,
                                                 start_char, end_char, token_count, input_hash)
            SELECT %(collection)s, %(model)s, key, 1, 0, text, 0, length(text), 2, sha256(text::bytea) FROM source
            """,
            values,
        )
    async with db.autocommit() as connection:
        await connection.execute("VACUUM ANALYZE")
