"""Drops a model that a collection is no longer under: publications and chunks in batches, its vectors' table at the end.

Killed at any moment it is continued by the next. Not here: which model is active (switching).
"""

from collections.abc import Awaitable, Callable, Sequence

from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.pipeline.switching import hold_model
from embedding_assets.store import collections, kept_models
from embedding_assets.store.database import Database, Tx
from embedding_assets.store.kept_models import KeptModel

# Settles wait for one batch: measured 7 to 17 ms for 500 documents of three chunks.
_ROWS_AT_ONCE = 500


class ModelNotKept(EmbeddingAssetsError):
    """The model is the active one, is being built, or is none of this collection; the message says what to do."""


async def list_models(db: Database, names: Sequence[str] | None = None) -> list[KeptModel]:
    """What these collections, or all of the database, keep of every model."""
    async with db.transaction() as tx:
        return await kept_models.models(tx, names or await collections.names(tx))


async def retire_model(db: Database, collection: str, model_id: int) -> int:
    """Drop a model that the collection keeps; how many documents were still published under it.

    Raises:
        ModelNotKept: it is the active one, or is being built, or nothing is kept of it.
    """
    kept = {model.model_id for model in await list_models(db, [collection])}
    if model_id not in kept:
        raise ModelNotKept(
            f"collection {collection!r} keeps nothing of a model {model_id}: embedding-assets models list shows what it keeps"
        )
    return await drop_model(db, collection, model_id)


async def drop_model(db: Database, collection: str, model_id: int) -> int:
    """Drop everything of the model; how many documents were still published under it.

    Raises:
        ModelNotKept: it is the active one, or is being built; what was not dropped yet stays.
    """

    async def in_batches(drop: Callable[..., Awaitable[int]]) -> int:
        async def one_batch(tx: Tx) -> int:
            return await drop(tx, await _collection(tx, collection, model_id), model_id, rows=_ROWS_AT_ONCE)

        whole = 0
        while dropped := await db.atomically(one_batch):
            whole += dropped
        return whole

    async def drop_table(tx: Tx) -> None:
        await kept_models.drop_table(tx, await _collection(tx, collection, model_id), model_id)

    documents = await in_batches(kept_models.drop_documents)
    await in_batches(kept_models.drop_chunks)
    await db.atomically(drop_table)
    return documents


async def _collection(tx: Tx, collection: str, model_id: int) -> int:
    """Its id, with settles held off, which drop chunks of all models."""
    applied = await hold_model(tx, collection)
    if applied is None:
        raise ModelNotKept(f"there is no collection {collection!r}: embedding-assets collections list shows them")
    if model_id == applied.model_id:
        raise ModelNotKept(f"model {model_id} is the active one of collection {collection!r}: search answers from it")
    if applied.building and model_id == applied.building.id:
        raise ModelNotKept(
            f"model {model_id} is being built for collection {collection!r}: put the active one back into the file and "
            "run `embedding-assets collections apply`, which cancels the build and drops it"
        )
    return applied.id
