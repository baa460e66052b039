"""Whether the collections file and the database say the same of a collection, and in whose words they differ.

Not here: reading the file (collections_file), writing the database (runtime, store/collections).
"""

from collections.abc import Mapping
from dataclasses import asdict

from embedding_assets.collections_file import CollectionEntry, CollectionsFile
from embedding_assets.domain.chunking import ChunkingStrategy
from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.store.collections import AppliedCollection


class NotApplied(EmbeddingAssetsError):
    """The collections file and the database disagree; the message says how and which command settles it."""


def agreed(
    file: CollectionsFile, applied: AppliedCollection | None, name: str
) -> tuple[CollectionEntry, AppliedCollection]:
    """The collection as both have it.

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
    if model.fingerprint != applied.model_fingerprint:
        raise _not_as_applied(name, "model", _differences(_model_facts(model), _model_facts(applied.model)))
    return entry, applied


def _not_as_applied(name: str, what: str, differences: str) -> NotApplied:
    return NotApplied(
        f"collection {name!r}: the {what} in the file is not the one applied ({differences}): "
        "run `embedding-assets collections apply`, or give this process the file that was applied"
    )


def model_changed(name: str, applied: AppliedCollection, entry: CollectionEntry) -> str:
    """Why a collection with published documents cannot change its model in place."""
    differences = _differences(_model_facts(entry.embedding_model()), _model_facts(applied.model))
    return (
        f"collection {name!r} has documents published under another model ({differences}). Vectors of two models "
        "cannot be compared: put it back, or add a second collection with the new model and move its readers there"
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
