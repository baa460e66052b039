"""What is said of a document in every state it can be in."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from embedding_assets.domain.explanation import DocumentState, Place, duration, explain, place_of

_NOW = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
_EARLIER = _NOW - timedelta(minutes=5)
_LATER = _NOW + timedelta(minutes=30)
_NOTHING = DocumentState(
    listed=False, arrived=False, shard=7, version=None, title=None, uri=None, characters=None, deleted_at=None,
    published_at=None, chunks=None, stale=None, lane=None, first_enqueued_at=None, available_at=None, lease_owner=None,
    lost_claims=None, lease_expired=None, due_from=None, deadline=None, overdue=None, status=None, error_type=None,
    reason=None, attempts=None, next_retry_at=None, last_failed_at=None,
)  # fmt: skip
_PUBLISHED = replace(_NOTHING, listed=True, version=12, published_at=_EARLIER, chunks=3, stale=False)
_WAITING = replace(
    _NOTHING, listed=True, lane="live", first_enqueued_at=_EARLIER, available_at=_EARLIER, lost_claims=0,
    lease_expired=False, due_from=_EARLIER, deadline=_LATER, overdue=False,
)  # fmt: skip
_FAILED = replace(
    _NOTHING,
    listed=True,
    status="retrying",
    error_type="too_large",
    reason="it is too large",
    attempts=2,
    next_retry_at=_LATER,
)
_STATES = {
    Place.UNKNOWN: _NOTHING,
    Place.ARRIVED: replace(_NOTHING, arrived=True),
    Place.WAITING: _WAITING,
    Place.IN_WORK: replace(_WAITING, lease_owner="run-1", available_at=_LATER),
    Place.LOST: replace(_WAITING, lease_owner="run-1", lease_expired=True, lost_claims=1),
    Place.RETRYING: _FAILED,
    Place.ESCALATED: replace(_FAILED, status="escalated", next_retry_at=None),
    Place.PUBLISHED: _PUBLISHED,
    Place.STALE: replace(_PUBLISHED, stale=True),
    Place.DELETED: replace(_NOTHING, version=3, deleted_at=_EARLIER),
    Place.UNTOUCHED: replace(_NOTHING, listed=True),
}


def test_there_is_a_state_here_for_every_place() -> None:
    assert set(_STATES) == set(Place)


@pytest.mark.parametrize("place", Place)
def test_every_state_has_its_place_and_three_sentences_that_name_no_missing_value(place: Place) -> None:
    told = explain(_STATES[place], collection="docs", now=_NOW)
    assert told.place is place
    for sentence in (told.where, told.why, told.next):
        assert sentence
        assert "None" not in sentence


def test_work_under_way_comes_before_what_became_of_the_document_last_time() -> None:
    assert place_of(replace(_FAILED, status="queued", next_retry_at=None, first_enqueued_at=_EARLIER)) is Place.WAITING
    assert place_of(replace(_PUBLISHED, arrived=True)) is Place.ARRIVED
    assert place_of(replace(_PUBLISHED, status="escalated")) is Place.ESCALATED
    assert place_of(replace(_PUBLISHED, status="resolved")) is Place.PUBLISHED


def test_a_waiting_change_says_since_when_until_when_and_what_search_shows() -> None:
    told = explain(_WAITING, collection="docs", now=_NOW)
    assert told.where == "in the queue of shard 07, lane live, for 5 min; search does not show it yet"
    assert (
        told.why == "it changed at the source 2030-01-01 11:55:00 UTC, 5 min ago; promised by 2030-01-01 12:30:00 UTC"
    )
    assert told.next == "the next run takes it; to run now: embedding-assets run docs --shards 07"


def test_an_overdue_change_says_so_and_an_older_version_stays_in_search() -> None:
    told = explain(replace(_WAITING, overdue=True, published_at=_EARLIER), collection="docs", now=_NOW)
    assert told.why.endswith("it was due 2030-01-01 12:30:00 UTC: OVERDUE")
    assert told.where.endswith("search shows the version before")


def test_what_waits_says_the_circuit_for_which_nobody_claims_and_what_does_not_wait_does_not() -> None:
    stopped = "it answered 503; nobody claims for openai/small since noon: it is probed in 25 s"
    for place, state in _STATES.items():
        told = explain(state, collection="docs", now=_NOW, stopped=stopped)
        assert (stopped in told.why) == (place in {Place.ARRIVED, Place.WAITING, Place.LOST})
    told = explain(_WAITING, collection="docs", now=_NOW, stopped=stopped)
    assert told.why.startswith("it changed at the source 2030-01-01 11:55:00 UTC")
    assert told.next == "a run takes it when a probe has passed; to probe now: embedding-assets run docs --shards 07"


def test_a_failure_gives_its_reason_and_the_time_of_the_next_try() -> None:
    told = explain(_FAILED, collection="docs", now=_NOW)
    assert told.where == "failed 2 times, waiting for its next try; search does not show it yet"
    assert told.why == "too_large: it is too large"
    assert told.next == "it is tried again 2030-01-01 12:30:00 UTC, in 30 min"
    due = explain(replace(_FAILED, next_retry_at=_EARLIER), collection="docs", now=_NOW)
    assert due.next == "it is tried again with the next run: it is due"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s"), (0.4, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (7500, "2 h 5 min"),
     (86_400, "1 d"), (100_000, "1 d 3 h")],
)  # fmt: skip
def test_a_duration_is_said_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words
