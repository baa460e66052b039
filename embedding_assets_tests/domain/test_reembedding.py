"""Whether re-embedding may begin, by what it costs and what was approved."""

from dataclasses import replace

import pytest

from embedding_assets.domain.prices import Price, PriceOrigin
from embedding_assets.domain.reembedding import Approval, Decision, Estimate, StalePart, decide

DEAR, FREE = Price(2.0, PriceOrigin.FILE), Price(0.0, PriceOrigin.FREE)


def estimate(tokens: int, *, price: Price = DEAR, documents: int = 1, complete: bool = True) -> Estimate:
    """Documents of another chunker that need so many tokens."""
    chunker = StalePart(price, documents, inputs=3, to_send=1, tokens=tokens)
    return Estimate(StalePart(price), StalePart(price), chunker, complete=complete)


@pytest.mark.parametrize(
    ("approval", "decision"),
    [
        (Approval(), Decision.NEEDS_APPROVAL),
        (Approval(automatic_usd=1.99), Decision.NEEDS_APPROVAL),
        (Approval(automatic_usd=2.0), Decision.BEGIN),
        (Approval(approved=True), Decision.BEGIN),
        (Approval(approved=True, max_usd=2.0), Decision.BEGIN),
        (Approval(approved=True, max_usd=1.99), Decision.TOO_DEAR),
        (Approval(max_usd=1.99, automatic_usd=5.0), Decision.TOO_DEAR),
    ],
)
def test_two_dollars_begin_when_approved_or_when_no_more_is_automatic(approval: Approval, decision: Decision) -> None:
    assert decide(estimate(1_000_000), approval) is decision


def test_what_costs_nothing_begins_by_itself() -> None:
    assert decide(estimate(1_000_000, price=FREE), Approval()) is Decision.BEGIN


def test_what_was_not_counted_to_the_end_never_begins_by_itself() -> None:
    assert decide(estimate(0, complete=False), Approval(automatic_usd=9.0)) is Decision.NEEDS_APPROVAL


def test_a_build_that_lacks_nothing_any_more_still_begins_so_that_it_is_cut_over() -> None:
    nothing = Estimate(StalePart(DEAR), StalePart(DEAR), StalePart(DEAR))
    assert decide(nothing, Approval(approved=True)) is Decision.NOTHING_STALE
    assert decide(replace(nothing, building="openai/new"), Approval()) is Decision.BEGIN


def test_an_estimate_is_the_sum_of_its_reasons_each_at_its_own_price() -> None:
    old, new = Price(1.0, PriceOrigin.FILE), Price(10.0, PriceOrigin.LISTED)
    vectors = StalePart(old, 0, inputs=2, to_send=2, tokens=1_000_000)
    model = StalePart(new, 5, inputs=9, to_send=4, tokens=2_000_000)
    found = Estimate(vectors, model, StalePart(new))
    assert (found.to_send, found.tokens, found.usd, model.unchanged) == (6, 3_000_000, 21.0, 5)
