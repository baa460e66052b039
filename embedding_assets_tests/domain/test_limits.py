"""How much a run takes of a limit: items without losing the remainder, documents that fit, shards in ranges, reasons in words."""

import pytest

from embedding_assets.domain.limits import LimitWait, Room, Shape, WaitKind, grouped_shards, items_per_shard


def test_315_inputs_over_16_shards_are_19_or_20_each_and_315_together() -> None:
    items = items_per_shard(315, 1.0, 16)
    assert set(items) == {19, 20}
    assert sum(items) == 315


def test_rounding_down_alone_would_lose_eleven_of_them() -> None:
    assert 315 // 16 == 19
    assert 315 // 16 * 16 == 304
    assert sum(items_per_shard(315, 1.0, 16)) - 304 == 11


def test_450_per_minute_at_seven_tenths_are_315() -> None:
    assert int(450 * 0.7) == 315


@pytest.mark.parametrize("mean", [0.5, 1.0, 2.5, 40.0, 1000.0])
@pytest.mark.parametrize("ceiling", [1, 16, 315, 20_000])
def test_all_shards_together_take_what_the_ceiling_holds_and_at_least_one(ceiling: int, mean: float) -> None:
    items = items_per_shard(ceiling, mean, 16)
    assert sum(items) == max(1, int(ceiling / mean))
    assert max(items) - min(items) <= 1


def test_the_shards_that_get_one_more_take_turns() -> None:
    assert [items_per_shard(3, 1.0, 4, first=first) for first in range(4)] == [
        [1, 1, 1, 0],
        [0, 1, 1, 1],
        [1, 0, 1, 1],
        [1, 1, 0, 1],
    ]


@pytest.mark.parametrize(
    ("groups", "sizes"), [(1, [16]), (2, [8, 8]), (3, [6, 5, 5]), (5, [4, 3, 3, 3, 3]), (16, [1] * 16)]
)
def test_groups_are_contiguous_as_equal_as_can_be_and_together_every_shard_once(groups: int, sizes: list[int]) -> None:
    ranges = grouped_shards(range(16), groups)
    assert [len(one) for one in ranges] == sizes
    assert [shard for one in ranges for shard in one] == list(range(16))


def test_documents_that_fit_are_bounded_by_the_scarcest_resource() -> None:
    shape = Shape(inputs_per_document=4, inputs_per_request=8, tokens_per_input=100)
    assert shape.documents_in(Room(requests=10)) == 20
    assert shape.documents_in(Room(requests=10, inputs=40)) == 10
    assert shape.documents_in(Room(requests=10, inputs=40, tokens=2000)) == 5


def test_where_anything_passes_one_document_does_and_where_nothing_does_none() -> None:
    assert Shape(inputs_per_document=1000).documents_in(Room(inputs=1)) == 1
    assert Shape().documents_in(Room(wait=LimitWait(1, WaitKind.CEILING, "inputs"), inputs=0)) == 0


def test_nothing_bounds_a_collection_without_a_limit() -> None:
    assert Shape().documents_in(Room()) is None


@pytest.mark.parametrize("kind", WaitKind)
def test_every_reason_is_a_sentence_of_its_own(kind: WaitKind) -> None:
    reasons = {LimitWait(1, other, "tokens").reason for other in WaitKind}
    assert len(reasons) == len(WaitKind)
    assert LimitWait(1, kind, "tokens").reason in reasons
