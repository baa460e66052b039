"""Checking an embeddings reply before anything of it is stored.

A short or reordered reply would silently shift every later vector to another input; pgvector refuses NaN, but leaves
zero vectors out of a cosine index without a word. So each reply is matched by its indexes and each vector is checked.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embedding_assets.domain.failures import ErrorType, ProviderError
from embedding_assets.domain.ports import EmbeddingReply, RejectedInput


def check_reply(
    items: Sequence[tuple[int, NDArray[np.float32]]], *, inputs: int, dimensions: int, tokens: int | None
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
    vectors = np.zeros((inputs, dimensions), dtype=np.float32)
    rejected: list[RejectedInput] = []
    for index, vector in items:
        fault = _vector_fault(vector, dimensions)
        if fault is None:
            vectors[index] = vector
        else:
            rejected.append(RejectedInput(index, *fault))
    rejected.sort(key=lambda item: item.position)
    reordered = indexes != list(range(inputs))
    return EmbeddingReply(vectors, tuple(rejected), tokens=tokens, reordered=reordered)


def _vector_fault(vector: NDArray[np.float32], dimensions: int) -> tuple[ErrorType, str] | None:
    if vector.ndim != 1 or vector.shape[0] != dimensions:
        return ErrorType.DIMENSION_MISMATCH, f"expected {dimensions} dimensions, got {vector.size}"
    if not np.isfinite(vector).all():
        return ErrorType.NON_FINITE, f"{int((~np.isfinite(vector)).sum())} of {dimensions} values are NaN or infinite"
    if not vector.any():
        return ErrorType.ZERO_VECTOR, "all values are zero"
    return None
