"""What failed, read back: rows of failed_documents and failed_attempts."""

from dataclasses import dataclass

from embedding_assets.pipeline.workbench import Workbench


@dataclass(frozen=True, slots=True)
class FailedRow:
    """One failed document with its latest attempt."""

    document_key: str
    status: str
    error_type: str
    attempts: int
    retry_in_seconds: float | None


async def failed_rows(bench: Workbench) -> list[FailedRow]:
    """Every failed document of the collection, by key."""
    async with bench.db.transaction() as tx:
        cursor = await tx.execute(
            """
            SELECT document_key, status, error_type, attempts,
                   extract(epoch FROM next_retry_at - last_failed_at)::float8
            FROM embedding_assets.failed_documents WHERE collection_id = %s ORDER BY 1
            """,
            [bench.target.collection_id],
        )
        return [FailedRow(*row) for row in await cursor.fetchall()]


async def attempts_recorded(bench: Workbench) -> int:
    """Rows of the attempts' history."""
    async with bench.db.transaction() as tx:
        row = await (await tx.execute("SELECT count(*) FROM embedding_assets.failed_attempts")).fetchone()
        return row[0] if row else 0
