"""Vectors off the wire: the forms providers send, and what is none of them."""

import base64
from dataclasses import dataclass

import numpy as np
import pytest

from embedding_assets.domain.failures import ErrorType, ProviderError
from embedding_assets.providers.wire_format import format_of, read_items, read_vector

VECTOR = np.array([0.25, -1.5, 3.0], dtype=np.float32)
ENCODED = base64.b64encode(VECTOR.astype("<f4").tobytes()).decode()


@dataclass
class Item:
    index: object
    embedding: object


@pytest.mark.parametrize("embedding", [ENCODED, VECTOR.tolist(), tuple(VECTOR.tolist()), VECTOR])
def test_every_form_reads_as_the_same_float32_vector(embedding: object) -> None:
    read = read_vector(embedding)
    np.testing.assert_array_equal(read, VECTOR)
    assert read.dtype == np.float32


@pytest.mark.parametrize(
    "embedding", [None, "not base64!", ENCODED[:-4] + "AA==", ["a", "b"], 0.1, [[0.1], [0.2, 0.3]], {"a": 1}]
)
def test_anything_else_is_a_malformed_reply(embedding: object) -> None:
    with pytest.raises(ProviderError) as caught:
        read_vector(embedding)
    assert caught.value.error_type is ErrorType.MALFORMED_REPLY


@pytest.mark.parametrize("value", [1e300, None, float("nan")])
def test_a_value_that_is_no_float32_is_read_as_not_finite(value: float | None) -> None:
    assert np.isfinite(read_vector([value, 0.0])).tolist() == [False, True]


def test_objects_and_dictionaries_are_read_alike_in_the_replys_order() -> None:
    items = [Item(1, ENCODED), {"index": 0, "embedding": VECTOR.tolist(), "object": "embedding"}]
    assert [index for index, _ in read_items(items)] == [1, 0]


@pytest.mark.parametrize("index", [None, "0", 0.0, True])
def test_an_item_without_a_whole_number_as_index_is_a_malformed_reply(index: object) -> None:
    with pytest.raises(ProviderError, match="no index"):
        read_items([Item(index, ENCODED)])


def test_the_format_is_told_by_the_vectors_themselves() -> None:
    assert format_of([Item(0, ENCODED)]) == "base64"
    assert format_of([{"index": 0, "embedding": [0.1]}]) == "float"
