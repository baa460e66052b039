"""Checking an embeddings reply before anything of it is stored.

A short or reordered reply would silently shift every later vector to another input; pgvector refuses NaN, but leaves
zero vectors out of a cosine index without a word. So each reply is matched by its indexes and each vector is checked, as it
will be stored: a halfvec holds 65,504 at most and nothing between 0 and 0.00000003.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embedding_assets.domain.failures import ErrorType, ProviderError
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.ports import EmbeddingReply, RejectedInput

_STORED_AS = {"vector": np.float32, "halfvec": np.float16}


def check_reply(
    items: Sequence[tuple[int, NDArray[np.float32]]], *, inputs: int, model: EmbeddingModel, tokens: int | None
) -> EmbeddingReply:
    """Match (index, vector) items to inputs 0 … inputs-1 and check every vector.

    Raises:
        ProviderError: `count_mismatch` or `order_mismatch`: no vector of this reply can be trusted.
    """
    if len(items) != inputs:
        message = f"{inputs} inputs were sent and {len(items)} vectors came back; none was stored"
        raise ProviderError(ErrorType.COUNT_MISMATCH, message)
    indexes = [index for index, _ in items]
    if sorted(indexes) != list(range(inputs)):
        message = f"the reply's indexes are not 0 to {inputs - 1}, each once; none of its vectors was stored"
        raise ProviderError(ErrorType.ORDER_MISMATCH, message)
    vectors = np.zeros((inputs, model.dimensions), dtype=np.float32)
    rejected: list[RejectedInput] = []
    for index, vector in items:
        fault = _vector_fault(vector, model)
        if fault is None:
            vectors[index] = vector
        else:
            rejected.append(RejectedInput(index, *fault))
    rejected.sort(key=lambda item: item.position)
    reordered = indexes != list(range(inputs))
    return EmbeddingReply(vectors, tuple(rejected), tokens=tokens, reordered=reordered)


def _vector_fault(vector: NDArray[np.float32], model: EmbeddingModel) -> tuple[ErrorType, str] | None:
    if vector.ndim != 1 or vector.shape[0] != model.dimensions:
        return ErrorType.DIMENSION_MISMATCH, f"expected {model.dimensions} dimensions, got {vector.size}"
    with np.errstate(over="ignore", under="ignore"):
        stored = vector.astype(_STORED_AS[model.storage], copy=False)
    if not np.isfinite(stored).all():
        bad = int((~np.isfinite(stored)).sum())
        return ErrorType.NON_FINITE, f"{bad} of {model.dimensions} values are NaN or infinite as {model.storage}"
    if not stored.any():
        return ErrorType.ZERO_VECTOR, f"all values are zero as {model.storage}"
    return None
