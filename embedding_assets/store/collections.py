"""Collections and models as they were applied: what every worker agrees on. The file an operator edits is not here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from embedding_assets.domain.models import Distance, EmbeddingModel
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries
from embedding_assets.store.vectors import VectorTable

_SQL = load_queries("collections")


@dataclass(frozen=True, slots=True)
class AppliedModel:
    """One row of `models`; `wire_format` is what its provider turned out to speak."""

    id: int
    fingerprint: str
    model: EmbeddingModel
    wire_format: str | None


@dataclass(frozen=True, slots=True)
class AppliedCollection:
    """One row of `collections` with its active model, and the one that is built beside it.

    `options` are how the active model is asked, as the file said of it; empty where that was not kept. `paused` is what the
    file said; `paused_since` is set while it is paused by hand.
    """

    id: int
    name: str
    owner: str
    source: Mapping[str, object]
    chunking: Mapping[str, object]
    chunker_fingerprint: str
    limit_name: str | None
    limit_consumer: str | None
    paused: bool
    paused_since: datetime | None
    tracked_since: datetime | None
    last_poll_at: datetime | None
    options: Mapping[str, Any]
    active: AppliedModel
    building: AppliedModel | None

    @property
    def model_id(self) -> int:
        """The active model's id."""
        return self.active.id

    @property
    def model(self) -> EmbeddingModel:
        """The active model."""
        return self.active.model

    @property
    def table(self) -> VectorTable:
        """Where the active model's vectors are."""
        return VectorTable(self.id, self.active.id, self.active.model)


@dataclass(frozen=True, slots=True)
class CollectionSettings:
    """What `apply` writes of one collection; `freshness_seconds` is the promise, from change to publication.

    `options` are how its model is asked, to be read back by whoever gave them.
    """

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
    options: Mapping[str, object] = field(default_factory=dict[str, object])


async def apply(tx: Tx, settings: CollectionSettings, *, beside: bool = False) -> int:
    """Write one collection; returns the id of its model.

    The model becomes the active one, and none is built. `beside`: it is built beside the active one, which is asked as before.
    """
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
    await tx.execute(_SQL["upsert_collection"], {**_columns(settings), "model_id": model_id, "beside": beside})
    return model_id


async def find(tx: Tx, name: str) -> AppliedCollection | None:
    """The collection as applied, or None."""
    row = await (await tx.execute(_SQL["find_collection"], {"name": name})).fetchone()
    if row is None:
        return None
    active = _model(row[13:22])
    assert active is not None
    return AppliedCollection(*row[:13], active=active, building=_model(row[22:31]))


async def active_model(tx: Tx, collection_id: int) -> int | None:
    """The id of the model that search answers from; None when the collection is gone, or going."""
    row = await (await tx.execute(_SQL["active_model"], {"collection_id": collection_id})).fetchone()
    return row[0] if row else None


async def vector_tables(tx: Tx, collection_id: int) -> list[VectorTable]:
    """The tables of vectors that the collection has, of whichever model, by the model's id."""
    rows = await (await tx.execute(_SQL["vector_tables"], {"collection_id": collection_id})).fetchall()
    found = [_model(row) for row in rows]
    return [VectorTable(collection_id, one.id, one.model) for one in found if one is not None]


async def cut_over(tx: Tx, collection_id: int) -> None:
    """The model that was built becomes the active one, asked as the file said of it. The caller holds off settles."""
    await tx.execute(_SQL["cut_over"], {"collection_id": collection_id})


async def pause(tx: Tx, name: str) -> None:
    """Pause it by hand; since when it is, stays as it was."""
    await tx.execute(_SQL["pause"], {"name": name})


async def resume(tx: Tx, name: str) -> None:
    """Take back a pause by hand; what the file says stays."""
    await tx.execute(_SQL["resume"], {"name": name})


async def names(tx: Tx) -> list[str]:
    """Names of all applied collections, sorted."""
    return [row[0] for row in await (await tx.execute(_SQL["collection_names"])).fetchall()]


async def has_publications(tx: Tx, name: str) -> bool:
    """Whether anything of the collection is published under its active model."""
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
        "options": Jsonb(dict(settings.options)),
    }


def _model(row: Sequence[Any]) -> AppliedModel | None:
    """Of the nine columns that the query has of a model."""
    if row[0] is None:
        return None
    model = EmbeddingModel(row[2], row[3], row[4], Distance(row[5]), row[6], row[7])
    return AppliedModel(row[0], row[1], model, row[8])
