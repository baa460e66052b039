"""Collections and models as they were applied: what every worker agrees on. The file an operator edits is not here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg.types.json import Jsonb

from embedding_assets.domain.models import Distance, EmbeddingModel
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("collections")


@dataclass(frozen=True, slots=True)
class AppliedCollection:
    """One row of `collections` with its active model."""

    id: int
    name: str
    owner: str
    source: Mapping[str, object]
    chunking: Mapping[str, object]
    chunker_fingerprint: str
    limit_name: str | None
    limit_consumer: str | None
    paused: bool
    tracked_since: datetime | None
    last_poll_at: datetime | None
    model_id: int
    model_fingerprint: str
    model: EmbeddingModel
    wire_format: str | None


@dataclass(frozen=True, slots=True)
class CollectionSettings:
    """What `apply` writes of one collection; `freshness_seconds` is the promise, from change to publication."""

    name: str
    owner: str
    source: Mapping[str, object]
    chunking: Mapping[str, object]
    chunker_fingerprint: str
    model: EmbeddingModel
    limit_name: str | None
    budgets: Mapping[str, object]
    weight: float
    paused: bool
    freshness_seconds: float
    limit_consumer: str | None = None


async def apply(tx: Tx, settings: CollectionSettings) -> int:
    """Write one collection; returns the id of its model."""
    model = settings.model
    values: dict[str, object] = {
        "name": model.name,
        "dimensions": model.dimensions,
        "storage": model.storage,
        "distance": model.distance.value,
        "input_template": model.input_template,
        "normalized": model.normalized,
        "fingerprint": model.fingerprint,
    }
    row = await (await tx.execute(_SQL["ensure_model"], values)).fetchone()
    model_id: int = row[0] if row else 0
    await tx.execute(_SQL["upsert_collection"], {**_columns(settings), "model_id": model_id})
    return model_id


async def find(tx: Tx, name: str) -> AppliedCollection | None:
    """The collection as applied, or None."""
    row = await (await tx.execute(_SQL["find_collection"], {"name": name})).fetchone()
    if row is None:
        return None
    model = EmbeddingModel(row[13], row[14], row[15], Distance(row[16]), row[17], row[18])
    return AppliedCollection(*row[:13], model=model, wire_format=row[19])


async def names(tx: Tx) -> list[str]:
    """Names of all applied collections, sorted."""
    return [row[0] for row in await (await tx.execute(_SQL["collection_names"])).fetchall()]


async def has_publications(tx: Tx, name: str) -> bool:
    """Whether anything of the collection is published."""
    row = await (await tx.execute(_SQL["has_publications"], {"name": name})).fetchone()
    return bool(row and row[0])


async def remember_wire_format(tx: Tx, model_id: int, wire_format: str) -> None:
    """Keep what the provider turned out to speak (`base64` or `float`)."""
    await tx.execute(_SQL["remember_wire_format"], {"model_id": model_id, "wire_format": wire_format})


async def inputs_per_document(tx: Tx, collection_id: int) -> float:
    """The inputs a document needed lately; 1.0 while nothing was published."""
    row = await (await tx.execute(_SQL["inputs_per_document"], {"collection_id": collection_id})).fetchone()
    return row[0] if row else 1.0


async def remember_inputs_per_document(tx: Tx, collection_id: int, *, documents: int, inputs: int) -> None:
    """Let a run's mean move the trailing one, the more the larger the run was; a run of nothing leaves it."""
    if documents and inputs:
        values = {"collection_id": collection_id, "documents": documents, "inputs": inputs}
        await tx.execute(_SQL["remember_inputs_per_document"], values)


def _columns(settings: CollectionSettings) -> dict[str, object]:
    return {
        "name": settings.name,
        "owner": settings.owner,
        "source": Jsonb(dict(settings.source)),
        "chunking": Jsonb(dict(settings.chunking)),
        "chunker_fingerprint": settings.chunker_fingerprint,
        "limit_name": settings.limit_name,
        "limit_consumer": settings.limit_consumer,
        "budgets": Jsonb(dict(settings.budgets)),
        "weight": settings.weight,
        "paused": settings.paused,
        "freshness_seconds": settings.freshness_seconds,
    }
