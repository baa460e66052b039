"""Failed documents as people meet them: found, put back, dismissed, told of. Not here: how a failure is recorded (failures)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from embedding_assets.domain.failures import ErrorType, FailureClass, FailureStatus
from embedding_assets.domain.notices import EscalatedDocument
from embedding_assets.domain.work import Lane
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("triage")

UNRESOLVED = (FailureStatus.RETRYING, FailureStatus.QUEUED, FailureStatus.ESCALATED)
RETRYABLE = (FailureStatus.RETRYING, FailureStatus.ESCALATED, FailureStatus.DISMISSED)
DISMISSIBLE = (FailureStatus.RETRYING, FailureStatus.ESCALATED)


@dataclass(frozen=True, slots=True)
class FailureFilter:
    """Which failed documents; None: any. `older_than_seconds` is the age of the last failure."""

    statuses: Sequence[FailureStatus] = UNRESOLVED
    collection: str | None = None
    failure_class: FailureClass | None = None
    error_type: ErrorType | None = None
    older_than_seconds: float | None = None
    document_keys: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class FailedDocument:
    """One failed document as it stands; `attempts` are those of this episode."""

    collection_id: int
    collection: str
    document_key: str
    status: str
    failure_class: str
    error_type: str
    reason: str
    attempts: int
    episode: int
    lane: str
    first_failed_at: datetime
    last_failed_at: datetime
    next_retry_at: datetime | None
    resolved_at: datetime | None
    notified_at: datetime | None


async def find(tx: Tx, chosen: FailureFilter, *, now: datetime | None = None) -> list[FailedDocument]:
    """The failed documents that the filter takes, by collection and key."""
    values: dict[str, object] = {
        "statuses": _values(chosen.statuses),
        "collection": chosen.collection,
        "failure_class": chosen.failure_class.value if chosen.failure_class else None,
        "error_type": chosen.error_type.value if chosen.error_type else None,
        "older_than_seconds": chosen.older_than_seconds,
        "document_keys": None if chosen.document_keys is None else list(chosen.document_keys),
        "now": now,
    }
    async with tx.cursor(row_factory=class_row(FailedDocument)) as cursor:
        return await (await cursor.execute(_SQL["find"], values)).fetchall()


async def put_back(tx: Tx, collection_id: int, document_keys: Sequence[str]) -> list[tuple[str, Lane]]:
    """Begin these documents' failures afresh and return those whose turn it was, with their lanes; the caller enqueues them.

    What is queued, resolved, or just now in another's hands is left.
    """
    values = {"collection_id": collection_id, "document_keys": list(document_keys), "statuses": _values(RETRYABLE)}
    rows = await (await tx.execute(_SQL["put_back"], values)).fetchall()
    return sorted((key, Lane(lane)) for key, lane in rows)


async def dismiss(
    tx: Tx, collection_id: int, document_keys: Sequence[str], *, now: datetime | None = None
) -> list[str]:
    """Try these documents no more until their content changes; those it was done with."""
    values = {
        "collection_id": collection_id,
        "document_keys": list(document_keys),
        "statuses": _values(DISMISSIBLE),
        "now": now,
    }
    return sorted(row[0] for row in await (await tx.execute(_SQL["dismiss"], values)).fetchall())


async def untold(tx: Tx, collection_id: int, *, documents: int) -> list[EscalatedDocument]:
    """Escalated documents that nobody was told of, by key."""
    values = {"collection_id": collection_id, "documents": documents}
    async with tx.cursor(row_factory=class_row(EscalatedDocument)) as cursor:
        return await (await cursor.execute(_SQL["untold"], values)).fetchall()


async def mark_told(tx: Tx, collection_id: int, told: Sequence[EscalatedDocument]) -> int:
    """Remember that somebody was told of these escalations; how many still were the same."""
    values = {
        "collection_id": collection_id,
        "document_keys": [document.document_key for document in told],
        "episodes": [document.episode for document in told],
    }
    return (await tx.execute(_SQL["mark_told"], values)).rowcount


def _values(statuses: Sequence[FailureStatus]) -> list[str]:
    return [status.value for status in statuses]
