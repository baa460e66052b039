"""Every vector belongs to its input, or the reply says why not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from embedding_assets.domain.failures import ErrorType, ProviderError
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.ports import EmbeddingReply
from embedding_assets.domain.replies import check_reply

Vector = NDArray[np.float32]


def _vector(*values: float) -> Vector:
    return np.array(values, dtype=np.float32)


A, B, C = _vector(1, 0), _vector(0, 1), _vector(3, 4)


def _check(*items: tuple[int, Vector], storage: str = "vector") -> EmbeddingReply:
    return check_reply(items, inputs=3, model=EmbeddingModel("any", 2, storage), tokens=7)


def test_an_honest_reply_passes_whole() -> None:
    reply = _check((0, A), (1, B), (2, C))
    np.testing.assert_array_equal(reply.vectors, [A, B, C])
    assert (reply.rejected, reply.tokens, reply.reordered) == ((), 7, False)


def test_another_order_is_put_right_by_the_indexes_and_told() -> None:
    reply = _check((2, C), (0, A), (1, B))
    np.testing.assert_array_equal(reply.vectors, [A, B, C])
    assert reply.reordered


@pytest.mark.parametrize("items", [[], [(0, A), (1, B)], [(0, A), (1, B), (2, C), (3, A)]])
def test_another_number_of_vectors_is_a_count_mismatch(items: list[tuple[int, Vector]]) -> None:
    with pytest.raises(ProviderError) as caught:
        _check(*items)
    assert caught.value.error_type is ErrorType.COUNT_MISMATCH


@pytest.mark.parametrize("indexes", [(0, 0, 1), (1, 2, 3), (-1, 0, 1)])
def test_indexes_that_are_not_each_input_once_are_an_order_mismatch(indexes: tuple[int, int, int]) -> None:
    with pytest.raises(ProviderError) as caught:
        _check(*zip(indexes, (A, B, C), strict=True))
    assert caught.value.error_type is ErrorType.ORDER_MISMATCH


@pytest.mark.parametrize(
    ("bad", "error_type"),
    [
        (_vector(1, np.nan), ErrorType.NON_FINITE),
        (_vector(np.inf, 1), ErrorType.NON_FINITE),
        (_vector(0, 0), ErrorType.ZERO_VECTOR),
        (_vector(0, -0.0), ErrorType.ZERO_VECTOR),
        (_vector(1, 2, 3), ErrorType.DIMENSION_MISMATCH),
        (_vector(1), ErrorType.DIMENSION_MISMATCH),
        (np.ones((2, 1), dtype=np.float32), ErrorType.DIMENSION_MISMATCH),
    ],
)
def test_a_bad_vector_is_rejected_by_its_position_and_left_as_zeros(bad: Vector, error_type: ErrorType) -> None:
    reply = _check((2, C), (1, bad), (0, A))
    assert [(item.position, item.error_type) for item in reply.rejected] == [(1, error_type)]
    np.testing.assert_array_equal(reply.vectors, [A, _vector(0, 0), C])


@pytest.mark.parametrize(
    ("vector", "error_type"),
    [
        (_vector(65_504, -65_504), None),
        (_vector(65_519, 1), None),  # rounds down to 65,504
        (_vector(65_520, 1), ErrorType.NON_FINITE),
        (_vector(1, -1e30), ErrorType.NON_FINITE),
        (_vector(6e-8, 0), None),
        (_vector(2e-8, -2e-8), ErrorType.ZERO_VECTOR),
    ],
)
def test_a_vector_is_checked_as_a_halfvec_holds_it(vector: Vector, error_type: ErrorType | None) -> None:
    assert not _check((0, A), (1, vector), (2, C)).rejected
    rejected = _check((0, A), (1, vector), (2, C), storage="halfvec").rejected
    assert [item.error_type for item in rejected] == ([] if error_type is None else [error_type])


def test_rejected_inputs_come_in_the_order_of_the_request() -> None:
    zero = _vector(0, 0)
    reply = _check((2, zero), (1, B), (0, zero))
    assert [item.position for item in reply.rejected] == [0, 2]
