"""Whether the collections file and the database say the same of a collection, and in whose words they differ.

Not here: reading the file (collections_file), writing the database (runtime, store/collections).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from embedding_assets.collections_file import CollectionEntry, CollectionsFile
from embedding_assets.domain.chunking import ChunkingStrategy
from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.model_tables import ModelTable
from embedding_assets.store.collections import AppliedCollection, AppliedModel


class NotApplied(EmbeddingAssetsError):
    """The collections file and the database disagree; the message says how and which command settles it."""


@dataclass(frozen=True, slots=True)
class AgreedModel:
    """A model of a collection as applied, and the collection's entry as the file has, or had, it for this model."""

    applied: AppliedModel
    entry: CollectionEntry


@dataclass(frozen=True, slots=True)
class Agreement:
    """A collection as file and database both have it.

    `building` is the model that is built beside the active one; None when none is, or the file does not name it.
    """

    applied: AppliedCollection
    active: AgreedModel
    building: AgreedModel | None = None


def agreed(file: CollectionsFile, applied: AppliedCollection | None, name: str) -> Agreement:
    """The collection as both have it. The file may name the active model or the one that is being built.

    Raises:
        NotApplied: one of them lacks it, or they differ in chunking or model.
    """
    entry = file.collections.get(name)
    if entry is None:
        known = ", ".join(sorted(file.collections)) or "none"
        raise NotApplied(f"the collections file has no collection {name!r}; it has {known}")
    if applied is None:
        raise NotApplied(f"collection {name!r} is not in the database yet: run `embedding-assets collections apply`")
    strategy, model = entry.chunking_strategy(), entry.embedding_model()
    if strategy.fingerprint != applied.chunker_fingerprint:
        raise _not_as_applied(name, "chunking", _differences(chunking_facts(strategy), applied.chunking))
    if model.fingerprint == applied.active.fingerprint:
        return Agreement(applied, AgreedModel(applied.active, entry))
    if applied.building is None or model.fingerprint != applied.building.fingerprint:
        raise _not_as_applied(name, "model", _differences(_model_facts(model), _model_facts(applied.model)))
    active = AgreedModel(applied.active, _as_it_was(file, entry, applied))
    return Agreement(applied, active, AgreedModel(applied.building, entry))


def model_options(file: CollectionsFile, entry: CollectionEntry) -> dict[str, object]:
    """How this entry's model is asked, as the database keeps it: read back when the file names another one."""
    consumer = file.limits[entry.limit].consumer if entry.limit else None
    return {"model": entry.model.model_dump(mode="json"), "limit": entry.limit, "limit_consumer": consumer}


def _as_it_was(file: CollectionsFile, entry: CollectionEntry, applied: AppliedCollection) -> CollectionEntry:
    """The entry for the active model, which the file no longer names: requests to it go on under its own limit.

    Raises:
        NotApplied: that limit is no longer in the file.
    """
    limit = applied.options.get("limit")
    if limit is not None and limit not in file.limits:
        raise NotApplied(
            f'collection {applied.name!r} goes on under its model {applied.model.name} and the limit "{limit}" while '
            f'another model is built: keep [limits."{limit}"] in the file until that one is in its place'
        )
    kept = applied.options.get("model") or _model_facts(applied.model)
    return entry.model_copy(update={"model": ModelTable.model_validate(kept), "limit": limit})


def _not_as_applied(name: str, what: str, differences: str) -> NotApplied:
    return NotApplied(
        f"collection {name!r}: the {what} in the file is not the one applied ({differences}): "
        "run `embedding-assets collections apply`, or give this process the file that was applied"
    )


def _differences(in_file: Mapping[str, object], in_database: Mapping[str, object]) -> str:
    """`size is 500 in the file and 400 in the database`, for each key that differs."""
    return (
        ", ".join(
            f"{key} is {value!r} in the file and {in_database.get(key)!r} in the database"
            for key, value in in_file.items()
            if value != in_database.get(key)
        )
        or "the same settings, read by another release"
    )


def chunking_facts(strategy: ChunkingStrategy) -> dict[str, object]:
    """A chunking strategy as the database keeps it."""
    return {"strategy": strategy.name, "size": strategy.size, "overlap": strategy.overlap, "unit": strategy.unit}


def _model_facts(model: EmbeddingModel) -> dict[str, object]:
    return {**asdict(model), "distance": model.distance.value}
