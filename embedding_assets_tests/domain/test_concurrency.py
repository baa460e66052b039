"""Requests at once: one more for each round that went well, half after a refusal, within bounds."""

from embedding_assets.domain.concurrency import ConcurrencyWindow


def test_it_begins_at_the_most_and_never_grows_beyond_it() -> None:
    window = ConcurrencyWindow(8)
    for _ in range(100):
        window.went_well()
    assert window.places == 8


def test_a_refusal_halves_it_and_it_never_falls_below_one() -> None:
    window = ConcurrencyWindow(8)
    sizes: list[int] = []
    for _ in range(5):
        window.refused(window.rounds)
        sizes.append(window.places)
    assert sizes == [4, 2, 1, 1, 1]


def test_requests_refused_together_halve_it_once() -> None:
    window = ConcurrencyWindow(16)
    sent_in_round = window.rounds
    for _ in range(16):
        window.refused(sent_in_round)
    assert window.places == 8


def test_as_many_answers_as_there_are_places_make_one_more_place() -> None:
    window = ConcurrencyWindow(16)
    window.refused(0)
    for _ in range(9):
        window.went_well()
    assert window.places == 9
