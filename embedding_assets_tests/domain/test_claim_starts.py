"""Where the next claim starts: where the last one ended, and every few seconds at the beginning."""

from datetime import datetime, timedelta, timezone

from embedding_assets.domain.claim_starts import LOOK_AGAIN_SECONDS, ClaimStarts
from embedding_assets.domain.work import ClaimedItem, Lane

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
LATER = NOON + timedelta(minutes=1)


def _item(shard: int, ready_at: datetime, lane: Lane = Lane.LIVE) -> ClaimedItem:
    return ClaimedItem("a", shard, lane, 1, 1, NOON, ready_at=ready_at)


def _after_a_claim_at_noon() -> ClaimStarts:
    starts = ClaimStarts()
    starts.look_again(100, idle=True)
    starts.claimed([_item(3, NOON)])
    return starts


def test_the_first_claim_starts_at_the_beginning() -> None:
    assert ClaimStarts().of(Lane.LIVE, [0, 1]) == [None, None]


def test_the_next_one_starts_where_the_last_one_ended_in_that_shard_and_lane() -> None:
    starts = ClaimStarts()
    starts.claimed([_item(3, LATER), _item(3, NOON), _item(4, NOON, Lane.BACKFILL)])
    assert starts.of(Lane.LIVE, [4, 3]) == [None, LATER]
    assert starts.of(Lane.BACKFILL, [4, 3]) == [NOON, None]


def test_it_never_goes_back_by_itself() -> None:
    starts = ClaimStarts()
    starts.claimed([_item(3, LATER)])
    starts.claimed([_item(3, NOON)])
    assert starts.of(Lane.LIVE, [3]) == [LATER]


def test_every_few_seconds_it_starts_at_the_beginning_again() -> None:
    starts = _after_a_claim_at_noon()
    starts.look_again(100 + LOOK_AGAIN_SECONDS - 0.1, idle=False)
    assert starts.of(Lane.LIVE, [3]) == [NOON]
    starts.look_again(100 + LOOK_AGAIN_SECONDS, idle=False)
    assert starts.of(Lane.LIVE, [3]) == [None]


def test_a_run_that_holds_nothing_starts_at_the_beginning_each_time() -> None:
    starts = _after_a_claim_at_noon()
    starts.look_again(100.1, idle=True)
    assert starts.of(Lane.LIVE, [3]) == [None]
