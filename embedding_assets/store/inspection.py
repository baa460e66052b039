"""Read-only views for people and checks: where a document is, how a collection does, what is wrong with what is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql
from psycopg.rows import class_row
from typing_extensions import LiteralString

from embedding_assets.domain.explanation import DocumentState
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries
from embedding_assets.store.vectors import VectorTable

_SQL = load_queries("inspection")


@dataclass(frozen=True, slots=True)
class HeadingPath:
    """Headings, outermost first, and how many published chunks stand under exactly them."""

    headings: Sequence[str]
    chunks: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One failed attempt of a document; `seconds` from its claim, `provider_status` where the provider answered."""

    failed_at: datetime
    episode: int
    attempt: int
    stage: str
    failure_class: str
    error_type: str
    message: str
    provider_status: int | None
    run_id: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Freshness:
    """One collection at a glance. `open_promises` are live changes not published yet, `overdue` those past their hour.

    `paused` by its file or by hand; `paused_since` by hand.
    The last listing lacked `withheld_deletions` documents, too many at once to be believed.
    """

    collection: str
    paused: bool
    paused_since: datetime | None
    tracked_since: datetime | None
    last_poll_at: datetime | None
    listed: int
    published: int
    open_promises: int
    overdue: int
    oldest_change_seconds: float | None
    model: str
    dimensions: int
    withheld_deletions: int


@dataclass(frozen=True, slots=True)
class ShardHolder:
    """A run and the shards of a collection it holds; its lease ends in so many seconds unless it says that it lives."""

    collection: str
    run_id: str
    shards: list[int]
    ends_in_seconds: float


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The database server as we see it; `vector_version` is None without pgvector."""

    version: str
    vector_version: str | None
    role: str
    max_connections: int
    connections: int


@dataclass(frozen=True, slots=True)
class StoredProblems:
    """Rows that should not be: counts, 0 when all is well."""

    wrong_dimension: int
    not_finite_or_zero: int
    inputs_without_vector: int
    orphaned_chunks: int
    overdue: int
    escalated: int


@dataclass(frozen=True, slots=True)
class ProcessedLately:
    """Documents of the last 24 hours: that failed at least once, and that failed or were published."""

    failed: int
    processed: int
    examples: Sequence[str]


async def shard_holders(tx: Tx) -> list[ShardHolder]:
    """Which runs hold which shards, whether they still live or not."""
    return [ShardHolder(*row) for row in await (await tx.execute(_SQL["shard_holders"])).fetchall()]


async def document_state(tx: Tx, collection: str, document_key: str) -> DocumentState | None:
    """Where the document is; None when there is no such collection."""
    async with tx.cursor(row_factory=class_row(DocumentState)) as cursor:
        values = {"collection": collection, "document_key": document_key}
        return await (await cursor.execute(_SQL["document_state"], values)).fetchone()


async def outline(tx: Tx, collection: str, document_key: str) -> list[HeadingPath]:
    """The headings that the document's published chunks stand under, in their order."""
    values = {"collection": collection, "document_key": document_key}
    return [HeadingPath(*row) for row in await (await tx.execute(_SQL["outline"], values)).fetchall()]


async def attempts(tx: Tx, collection: str, document_key: str) -> list[Attempt]:
    """Every failed attempt of the document, oldest first."""
    async with tx.cursor(row_factory=class_row(Attempt)) as cursor:
        values = {"collection": collection, "document_key": document_key}
        return await (await cursor.execute(_SQL["attempts"], values)).fetchall()


async def similar_keys(tx: Tx, collection: str, document_key: str) -> list[str]:
    """Up to five listed keys that contain this text."""
    values = {"collection": collection, "document_key": document_key}
    return [row[0] for row in await (await tx.execute(_SQL["similar_keys"], values)).fetchall()]


async def freshness(tx: Tx) -> list[Freshness]:
    """Every collection, by name."""
    return [Freshness(*row) for row in await (await tx.execute(_SQL["freshness"])).fetchall()]


async def count_overdue(tx: Tx, collection_id: int) -> int:
    """Live changes of this collection that are past their deadline and not published."""
    row = await (await tx.execute(_SQL["count_overdue"], {"collection_id": collection_id})).fetchone()
    return row[0] if row else 0


async def server_facts(tx: Tx) -> ServerFacts:
    """Version, role and connections."""
    row = await (await tx.execute(_SQL["server_facts"])).fetchone()
    assert row is not None
    return ServerFacts(*row)


async def missing_rights(tx: Tx) -> Sequence[str]:
    """Our tables that this role may not read and write."""
    return [row[0] for row in await (await tx.execute(_SQL["missing_rights"])).fetchall()]


async def stored_problems(tx: Tx, table: VectorTable) -> StoredProblems:
    """Counts of what must not be, over everything stored for this collection and model."""
    row = await (await tx.execute(_fill(_SQL["stored_problems"], table), _of(table))).fetchone()
    assert row is not None
    return StoredProblems(*row)


async def problem_examples(tx: Tx, table: VectorTable, *, documents: int) -> dict[str, list[str]]:
    """Up to so many documents of each problem, by the problem's name in `StoredProblems`; of the overdue the oldest."""
    values = {**_of(table), "documents": documents}
    rows = await (await tx.execute(_fill(_SQL["problem_examples"], table), values)).fetchall()
    return dict(rows)


async def processed_lately(
    tx: Tx, table: VectorTable, *, examples: int, now: datetime | None = None
) -> ProcessedLately:
    """How the documents of the last 24 hours fared; up to `examples` keys of those that failed."""
    values = {
        "collection_id": table.collection_id,
        "model_id": table.model_id,
        "examples": examples,
        "now": now,
    }
    row = await (await tx.execute(_SQL["processed_lately"], values)).fetchone()
    assert row is not None
    return ProcessedLately(*row)


async def sample_documents(tx: Tx, collection: str, *, documents: int) -> list[tuple[str, str]]:
    """(title, first 400 characters) of a few published documents, the same each time."""
    values = {"collection": collection, "documents": documents}
    return [(row[0], row[1]) for row in await (await tx.execute(_SQL["sample_documents"], values)).fetchall()]


def _of(table: VectorTable) -> dict[str, object]:
    return {
        "collection_id": table.collection_id,
        "model_id": table.model_id,
        "dimensions": table.model.dimensions,
    }


def _fill(query: LiteralString, table: VectorTable) -> sql.Composed:
    norm = sql.SQL("l2_norm") if table.model.storage == "halfvec" else sql.SQL("vector_norm")
    return sql.SQL(query).format(embeddings=sql.Identifier("embedding_assets", table.name), norm=norm)
