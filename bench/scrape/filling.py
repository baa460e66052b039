"""A database as it is when everything is late: so many documents tracked, as many live changes queued, each with its promise.

Made by SQL, because nothing is measured while it is made. Not here: what is measured (__main__).
"""

from embedding_assets.store.database import Database
from embedding_assets_tests.support.collections import make_collection

_AT_ONCE = 100_000


async def fill_database(db: Database, documents: int) -> int:
    """The id of the collection `docs`."""
    docs = await make_collection(db)
    for first in range(1, documents + 1, _AT_ONCE):
        values = {"id": docs.id, "first": first, "last": min(first + _AT_ONCE - 1, documents)}
        async with db.transaction() as tx:
            await tx.execute(
                """
                INSERT INTO embedding_assets.documents (collection_id, document_key, version, content, content_hash)
                SELECT %(id)s, 'document-' || n, n, '', sha256('') FROM generate_series(%(first)s::integer, %(last)s::integer) AS n
                """,
                values,
            )
            await tx.execute(
                """
                INSERT INTO embedding_assets.work_items
                    (collection_id, document_key, lane, first_enqueued_at, generation, available_at)
                SELECT %(id)s, 'document-' || n, 'live', clock_timestamp(), -n, clock_timestamp()
                FROM generate_series(%(first)s::integer, %(last)s::integer) AS n
                """,
                values,
            )
            # A tenth of them is past the hour, and was counted.
            await tx.execute(
                """
                INSERT INTO embedding_assets.obligations
                    (collection_id, document_key, due_from, deadline, generation, counted)
                SELECT %(id)s, 'document-' || n, clock_timestamp() - interval '2 hours',
                       clock_timestamp() + CASE WHEN n %% 10 = 0 THEN interval '-1 hour' ELSE interval '1 hour' END, -n,
                       n %% 10 = 0
                FROM generate_series(%(first)s::integer, %(last)s::integer) AS n
                """,
                values,
            )
    async with db.autocommit() as connection:
        await connection.execute("VACUUM ANALYZE")
    return docs.id
