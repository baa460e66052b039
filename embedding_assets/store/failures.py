"""Failed documents and every attempt they made. Not here: the class of an error or the ladder (domain), what people do (triage)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from typing_extensions import assert_never

from embedding_assets.domain.backoff import Decision, Escalate, InQueue, OnlyRecord, Retry
from embedding_assets.domain.redaction import redacted
from embedding_assets.domain.work import ClaimedItem, Fail, Lane
from embedding_assets.store.database import Tx, storable
from embedding_assets.store.queries import load_queries

_SQL = load_queries("failures")


@dataclass(frozen=True, slots=True)
class Episode:
    """What a claim's failure belongs to: attempts of this episode so far, and its number.

    `is_open`: the document is retrying or queued. `is_past`: the failure is of older content than the document's row is
    about, or a person dismissed it. `waiting` is the generation of newer work in the queue, None when there is none.
    """

    attempts: int
    number: int
    is_open: bool = False
    is_past: bool = False
    waiting: int | None = None


@dataclass(frozen=True, slots=True)
class FailureCount:
    """Failed documents of one collection that are not resolved."""

    collection: str
    status: str
    error_type: str
    documents: int


async def episodes(tx: Tx, collection_id: int, items: Sequence[ClaimedItem]) -> dict[str, Episode]:
    """The episode each claim's failure belongs to: the open one, or a new one after what had ended.

    The claims' rows must be locked, so that no newer work is folded meanwhile; this locks the failed documents' too.
    """
    values = {"collection_id": collection_id, "document_keys": [item.document_key for item in items]}
    known = {row[0]: row[1:] for row in await (await tx.execute(_SQL["episodes"], values)).fetchall()}
    waiting = dict(await (await tx.execute(_SQL["waiting"], values)).fetchall())
    return {
        item.document_key: _episode(item, known.get(item.document_key), waiting.get(item.document_key))
        for item in items
    }


def _episode(item: ClaimedItem, row: tuple[str, int, int, int] | None, waiting: int | None) -> Episode:
    if row is None:
        return Episode(0, 1, waiting=waiting)
    status, attempts, number, since_generation = row
    if item.generation < since_generation:
        return Episode(0, number - 1, is_past=True)
    if status == "dismissed":
        return Episode(attempts, number, is_past=True)
    if status in ("retrying", "queued"):
        return Episode(attempts, number, is_open=True, waiting=waiting)
    return Episode(0, number + 1, waiting=waiting)


async def record(
    tx: Tx,
    collection_id: int,
    failure: Fail,
    episode: Episode,
    decision: Decision,
    *,
    run_id: str,
    seconds: float | None = None,
    now: datetime | None = None,
) -> None:
    """Write one attempt, which took `seconds`, and what follows it."""
    error = failure.error
    attempt: dict[str, object] = {
        "collection_id": collection_id,
        "document_key": failure.item.document_key,
        "episode": episode.number,
        "attempt": None if episode.is_past else episode.attempts + 1,
        "stage": failure.stage.value,
        "failure_class": error.failure_class.value,
        "error_type": error.error_type.value,
        "message": storable(redacted(str(error))),
        "provider_status": error.status,
        "run_id": run_id,
        "seconds": seconds,
        "now": now,
    }
    await tx.execute(_SQL["record_attempt"], attempt)
    if isinstance(decision, OnlyRecord):
        return
    values = {**attempt, "lane": failure.item.lane.value, **_what_follows(decision), **_place(episode, decision)}
    await tx.execute(_SQL["record_failure"], values)


def _what_follows(decision: Retry | Escalate | InQueue) -> dict[str, object]:
    match decision:
        case Retry():
            return {"status": "retrying", "retry_after": decision.after_seconds}
        case Escalate():
            return {"status": "escalated", "retry_after": None}
        case InQueue():
            return {"status": "queued", "retry_after": None}
        case _:
            assert_never(decision)


def _place(episode: Episode, decision: Decision) -> dict[str, object]:
    """Where the document stands afterwards: newer work after a first failure is an episode of its own."""
    if isinstance(decision, InQueue) and not episode.is_open:
        return {"row_episode": episode.number + 1, "row_attempts": 0, "since_generation": episode.waiting}
    return {"row_episode": episode.number, "row_attempts": episode.attempts + 1, "since_generation": 0}


async def resolve(tx: Tx, collection_id: int, document_keys: Sequence[str], *, now: datetime | None = None) -> None:
    """These documents came through; their history stays."""
    values = {"collection_id": collection_id, "document_keys": list(document_keys), "now": now}
    await tx.execute(_SQL["resolve"], values)


async def take_due(
    tx: Tx, collection_id: int, *, documents: int = 10_000, now: datetime | None = None
) -> list[tuple[str, Lane]]:
    """Mark documents whose next retry is due as queued, and return them with their lanes; the caller enqueues them."""
    values = {"collection_id": collection_id, "documents": documents, "now": now}
    rows = await (await tx.execute(_SQL["take_due"], values)).fetchall()
    return sorted((key, Lane(lane)) for key, lane in rows)


async def count_due(tx: Tx, collection_id: int, *, now: datetime | None = None) -> int:
    """Failed documents of this collection whose next retry is due."""
    row = await (await tx.execute(_SQL["count_due"], {"collection_id": collection_id, "now": now})).fetchone()
    return row[0] if row else 0


async def failure_counts(tx: Tx) -> list[FailureCount]:
    """Failed documents by collection, status and error type."""
    return [FailureCount(*row) for row in await (await tx.execute(_SQL["failure_counts"])).fetchall()]
