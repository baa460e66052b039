"""What failed, read back: rows of failed_documents and failed_attempts; and failures brought about without a fault."""

from dataclasses import dataclass
from pathlib import Path

from embedding_assets.domain.backoff import Decision, Escalate
from embedding_assets.domain.failures import ClassifiedError, ErrorType, SourceError
from embedding_assets.domain.work import ClaimedItem, Fail, Lane, Stage
from embedding_assets.pipeline.claims import Admitted, Claims
from embedding_assets.pipeline.reprocessing import requeue_due
from embedding_assets.pipeline.settling import settle
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import failures, work_queue
from embedding_assets.store.database import Tx
from embedding_assets_tests.support.collections import MadeCollection
from embedding_assets_tests.support.queue import NOON, at

GIVE_UP = Escalate()
KEY = "document-000.md"


@dataclass(frozen=True, slots=True)
class FailedRow:
    """One failed document with its latest attempt."""

    document_key: str
    status: str
    error_type: str
    attempts: int
    retry_in_seconds: float | None
    episode: int = 1


async def failed_rows(bench: Workbench) -> list[FailedRow]:
    """Every failed document of the collection, by key."""
    async with bench.db.transaction() as tx:
        cursor = await tx.execute(
            """
            SELECT document_key, status, error_type, attempts,
                   extract(epoch FROM next_retry_at - last_failed_at)::float8, episode
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


async def history(bench: Workbench) -> list[tuple[int, int]]:
    """(episode, attempt) of every attempt, oldest first."""
    async with bench.db.transaction() as tx:
        cursor = await tx.execute("SELECT episode, attempt FROM embedding_assets.failed_attempts ORDER BY id")
        return [(episode, attempt) for episode, attempt in await cursor.fetchall()]


async def make_due(bench: Workbench) -> None:
    """Let the time of every next retry come."""
    async with bench.db.transaction() as tx:
        await tx.execute(
            """
            UPDATE embedding_assets.failed_documents AS f SET next_retry_at = clock_timestamp()
            FROM (SELECT document_key FROM embedding_assets.failed_documents WHERE status = 'retrying'
                  ORDER BY document_key FOR UPDATE SKIP LOCKED) AS waiting
            WHERE f.document_key = waiting.document_key
            """
        )


async def claim_all(bench: Workbench) -> list[ClaimedItem]:
    """Fold and claim whatever is ready, as a run does."""
    return [one.item for one in await Claims(bench, list(range(16))).take(Admitted(1000, 1000))]


def failure(item: ClaimedItem, error_type: ErrorType = ErrorType.SOURCE_UNREADABLE) -> Fail:
    """A failure of this claim's document."""
    return Fail(item, SourceError(error_type, "it could not be read"), Stage.FETCHING)


async def fail_documents(
    tx: Tx,
    collection: MadeCollection,
    *keys: str,
    decision: Decision = GIVE_UP,
    error_type: ErrorType = ErrorType.UNDECODABLE,
    lane: Lane = Lane.LIVE,
    minutes: float = 0,
) -> None:
    """One attempt of each document, as settle records it."""
    for key in keys:
        item = ClaimedItem(key, 0, lane, 1, 1, NOON)
        episode = (await failures.episodes(tx, collection.id, [item]))[key]
        failure = Fail(item, ClassifiedError(error_type, "no"), Stage.FETCHING)
        await failures.record(tx, collection.id, failure, episode, decision, run_id="run", now=at(minutes))


async def edit(bench: Workbench, folder: Path, text: str = "Other words.", *, key: str = KEY) -> None:
    """Other content at the source, seen by a poll."""
    (folder / key).write_text(text, encoding="utf-8")
    await sync_source(bench)


async def fold(bench: Workbench) -> None:
    """Turn arrivals into work items."""
    async with bench.db.transaction() as tx:
        await work_queue.fold(tx, bench.target.collection_id)


async def fail_once(bench: Workbench, error_type: ErrorType = ErrorType.SOURCE_UNREADABLE) -> None:
    """Claim whatever is ready, and fail all of it."""
    await settle(bench, [failure(item, error_type) for item in await claim_all(bench)])


async def escalate(bench: Workbench) -> None:
    """A poison document gets one retry."""
    await fail_once(bench, ErrorType.UNDECODABLE)
    await make_due(bench)
    await requeue_due(bench)
    await fail_once(bench, ErrorType.UNDECODABLE)
