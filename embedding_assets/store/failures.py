"""Failed documents and every attempt they made. Not here: the class of an error or the ladder (domain)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from embedding_assets.domain.backoff import Decision, Retry
from embedding_assets.domain.work import Fail, Lane
from embedding_assets.store.database import Tx, storable
from embedding_assets.store.queries import load_queries

_SQL = load_queries("failures")


@dataclass(frozen=True, slots=True)
class Episode:
    """Where a document's failures stand: attempts of this episode so far, and its number."""

    attempts: int
    number: int


@dataclass(frozen=True, slots=True)
class FailureCount:
    """Failed documents of one collection that are not resolved."""

    collection: str
    status: str
    error_type: str
    documents: int


async def episodes(tx: Tx, collection_id: int, document_keys: Sequence[str]) -> dict[str, Episode]:
    """The episode each document's next failure belongs to: the open one, or a new one after what had ended.

    An escalated document is tried again only when its content is new or a person asked for it: that starts afresh.
    """
    values = {"collection_id": collection_id, "document_keys": list(document_keys)}
    past = dict(await (await tx.execute(_SQL["last_episodes"], values)).fetchall())
    opened = {
        key: Episode(attempts, n)
        for key, attempts, n in await (await tx.execute(_SQL["open_failures"], values)).fetchall()
    }
    return {key: opened.get(key) or Episode(0, past.get(key, 0) + 1) for key in document_keys}


async def record(
    tx: Tx,
    collection_id: int,
    failure: Fail,
    episode: Episode,
    decision: Decision,
    *,
    run_id: str,
    now: datetime | None = None,
) -> None:
    """Write one attempt and what follows it."""
    error = failure.error
    retry_after = decision.after_seconds if isinstance(decision, Retry) else None
    values: dict[str, object] = {
        "collection_id": collection_id,
        "document_key": failure.item.document_key,
        "episode": episode.number,
        "attempt": episode.attempts + 1,
        "stage": failure.stage.value,
        "failure_class": error.failure_class.value,
        "error_type": error.error_type.value,
        "message": storable(str(error)),
        "provider_status": error.status,
        "run_id": run_id,
        "status": "escalated" if retry_after is None else "retrying",
        "lane": failure.item.lane.value,
        "retry_after": retry_after,
        "now": now,
    }
    await tx.execute(_SQL["record_attempt"], values)
    await tx.execute(_SQL["record_failure"], values)


async def resolve(tx: Tx, collection_id: int, document_keys: Sequence[str], *, now: datetime | None = None) -> None:
    """These documents came through; their history stays."""
    values = {"collection_id": collection_id, "document_keys": list(document_keys), "now": now}
    await tx.execute(_SQL["resolve"], values)


async def take_due(
    tx: Tx, collection_id: int, *, documents: int = 10_000, now: datetime | None = None
) -> list[tuple[str, Lane]]:
    """Mark documents whose next retry is due as queued, and return them with their lanes; the caller enqueues them."""
    values = {"collection_id": collection_id, "documents": documents, "now": now}
    due = [(key, Lane(lane)) for key, lane in await (await tx.execute(_SQL["due"], values)).fetchall()]
    if due:
        await tx.execute(
            _SQL["mark_queued"], {"collection_id": collection_id, "document_keys": [key for key, _ in due]}
        )
    return due


async def count_due(tx: Tx, collection_id: int, *, now: datetime | None = None) -> int:
    """Failed documents of this collection whose next retry is due."""
    row = await (await tx.execute(_SQL["count_due"], {"collection_id": collection_id, "now": now})).fetchone()
    return row[0] if row else 0


async def failure_counts(tx: Tx) -> list[FailureCount]:
    """Failed documents by collection, status and error type."""
    return [FailureCount(*row) for row in await (await tx.execute(_SQL["failure_counts"])).fetchall()]
