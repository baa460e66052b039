"""Days are differences of standings: also over days nobody wrote, and never out of a counter that fell."""

from datetime import date, datetime, time, timedelta, timezone

import pytest

from embedding_assets.domain.daily import Record, Standing, increments, together

DAY = date(2026, 3, 2)
LATE = time(23, 55, tzinfo=timezone.utc)


def stood(number: int, value: float, *, at: time = LATE) -> Standing:
    day = DAY + timedelta(days=number)
    return Standing(day, datetime.combine(day, at), value)


def day(number: int) -> date:
    return DAY + timedelta(days=number)


def test_each_day_is_the_difference_to_the_day_before_and_the_first_is_unknown() -> None:
    assert increments([stood(0, 100), stood(1, 130), stood(2, 130)]) == {day(1): 30.0, day(2): 0.0}


def test_what_came_over_missed_days_is_spread_and_nothing_is_lost() -> None:
    came = increments([stood(0, 100), stood(3, 190), stood(4, 200)])
    assert dict(sorted(came.items())) == {day(1): 30.0, day(2): 30.0, day(3): 30.0, day(4): 10.0}


def test_a_counter_that_fell_tells_nothing_of_that_day() -> None:
    assert increments([stood(0, 100), stood(1, 40), stood(2, 45)]) == {day(2): 5.0}


def test_a_size_may_fall() -> None:
    assert increments([stood(0, 100), stood(1, 40)], may_fall=True) == {day(1): -60.0}


def test_a_row_written_in_the_middle_of_its_day_is_not_a_day_yet() -> None:
    assert increments([stood(0, 100), stood(1, 120, at=time(10, tzinfo=timezone.utc))]) == {}


def test_a_row_written_late_counts_by_the_time_that_passed() -> None:
    noon_after = time(11, 55, tzinfo=timezone.utc)
    assert increments([stood(0, 0), stood(2, 150, at=noon_after)]) == {day(1): 100.0, day(2): 100.0}


def test_label_values_are_asked_for_by_their_first_ones() -> None:
    record = Record(
        {
            ("chunks", ("docs", "live")): [stood(0, 1), stood(1, 4)],
            ("chunks", ("docs", "backfill")): [stood(0, 0), stood(1, 2)],
            ("chunks", ("others", "live")): [stood(0, 0), stood(1, 50)],
        }
    )
    assert record.came("chunks", "docs") == {day(1): 5.0}
    assert record.levels("chunks", "docs", "live") == {day(0): 1.0, day(1): 4.0}
    assert record.came("nothing") == {}


def test_lately_is_four_weeks_or_since_there_is_something() -> None:
    rows = [stood(number, 10.0 * number) for number in range(40)]
    assert Record({("a", ()): rows}).lately("a") == pytest.approx(280.0)
    assert Record({("a", ()): rows[:10]}).lately("a") == pytest.approx(90.0)


def test_together_are_only_the_days_that_all_know() -> None:
    assert together({day(1): 1.0, day(2): 2.0}, {day(2): 5.0, day(3): 1.0}) == {day(2): 7.0}
    assert together({}, {day(1): 1.0}) == {}
