"""What is well and what is not, at the edges of each judgement."""

import pytest

from embedding_assets.domain.health import judge_count, judge_failure_rate, judge_index, judge_recall

_KEYS = [f"document-{number}" for number in range(9)]


def test_a_row_that_should_not_be_is_one_too_many_and_up_to_five_are_named() -> None:
    assert judge_count(0).passed
    found = judge_count(9, _KEYS)
    assert (found.passed, found.numbers, found.examples) == (False, {"found": 9}, _KEYS[:5])


@pytest.mark.parametrize(
    ("failed", "processed", "passed"),
    [
        (0, 0, True),
        (2, 2, True),  # fewer than three say nothing, however few there were
        (3, 3, False),
        (3, 3000, True),  # 0.1 % is allowed
        (3, 2999, False),
        (4, 3999, False),
        (500, 1_000_000, True),
    ],
)
def test_a_rate_of_failures_is_too_high_above_a_thousandth_of_at_least_a_few(
    failed: int, processed: int, *, passed: bool
) -> None:
    found = judge_failure_rate(failed, processed, _KEYS)
    assert found.passed is passed
    assert found.numbers["failed"] == failed
    assert len(found.examples) == 5


@pytest.mark.parametrize(
    ("rows", "valid", "being_built", "loading", "passed", "says"),
    [
        (9_999, None, False, False, True, "none needed"),
        (10_000, True, False, False, True, ""),
        (10_000, None, False, True, True, "when the load is over"),
        (10_000, None, True, False, True, "is being built"),
        (10_000, False, True, False, True, "is being built"),
        (10_000, None, False, False, False, "is missing"),
        (10, False, False, False, False, "is not valid"),
    ],
)
def test_a_large_table_needs_a_valid_index_unless_it_is_on_its_way(
    *,
    rows: int,
    valid: bool | None,
    being_built: bool,
    loading: bool,
    passed: bool,
    says: str,
) -> None:
    found = judge_index(
        rows=rows, at_least_rows=10_000, valid=valid, being_built=being_built, loading=loading, name="the index"
    )
    assert (found.passed, says in found.state) == (passed, True)


@pytest.mark.parametrize(("found", "neighbours", "passed"), [(180, 200, True), (179, 200, False), (0, 0, True)])
def test_recall_is_good_from_nine_tenths_on(found: int, neighbours: int, *, passed: bool) -> None:
    assert judge_recall(found, neighbours, []).passed is passed
