"""A collection with its model and its vector table, as `collections apply` and the first run leave them."""

from dataclasses import dataclass
from datetime import datetime

from embedding_assets.domain.models import Distance, EmbeddingModel
from embedding_assets.store import collections, vectors
from embedding_assets.store.collections import CollectionSettings
from embedding_assets.store.database import Database
from embedding_assets.store.vectors import VectorTable

CHUNKER = "chunker-1"


@dataclass(frozen=True, slots=True)
class MadeCollection:
    """What store functions need to name the collection."""

    id: int
    name: str
    model_id: int
    table: VectorTable


async def make_collection(
    db: Database,
    name: str = "docs",
    *,
    dimensions: int = 4,
    storage: str = "vector",
    distance: Distance = Distance.COSINE,
    tracked_since: datetime | None = None,
    freshness_seconds: float = 3600.0,
) -> MadeCollection:
    """Apply a collection and create its vector table, in a transaction of its own."""
    model = EmbeddingModel(f"test/{storage}-{dimensions}", dimensions, storage, distance)
    async with db.transaction() as tx:
        await collections.apply(tx, collection_settings(name, model, freshness_seconds=freshness_seconds))
        found = await collections.find(tx, name)
        assert found is not None
        values = [tracked_since, found.id]
        await tx.execute("UPDATE embedding_assets.collections SET tracked_since = %s WHERE id = %s", values)
        table = VectorTable(found.id, found.model_id, model)
        await vectors.create_table(tx, table)
    return MadeCollection(found.id, name, found.model_id, table)


def collection_settings(
    name: str, model: EmbeddingModel, *, chunker: str = CHUNKER, freshness_seconds: float = 3600.0
) -> CollectionSettings:
    """Settings with nothing special but these."""
    return CollectionSettings(
        name=name,
        owner="",
        source={"type": "directory"},
        chunking={"strategy": "recursive"},
        chunker_fingerprint=chunker,
        model=model,
        limit_name=None,
        budgets={},
        weight=1.0,
        paused=False,
        freshness_seconds=freshness_seconds,
    )
