"""The cursor of a polled table follows only behind what may still commit."""

from datetime import datetime, timedelta, timezone

import pytest

from embedding_assets.domain.table_cursor import TableCursor
from embedding_assets.domain.tables import TableActivity

_NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)


def _at(minutes: int, *running: str) -> TableActivity:
    return TableActivity(_NOON + timedelta(minutes=minutes), frozenset(running))


def _since(cursor: TableCursor) -> float:
    return (cursor.since - _NOON).total_seconds() / 60


def test_with_nobody_in_a_transaction_it_follows_one_poll_behind() -> None:
    cursor = TableCursor.first(_at(0))
    for minute in (5, 10, 15):
        cursor = cursor.advanced(_at(minute))
        assert _since(cursor) == minute - 5


def test_it_stays_while_a_transaction_runs_that_ran_at_the_last_poll_and_follows_after_it() -> None:
    cursor = TableCursor.first(_at(0, "3/7"))
    for minute in (5, 10, 60):
        cursor = cursor.advanced(_at(minute, "3/7", f"4/{minute}"))
        assert _since(cursor) == 0
    cursor = cursor.advanced(_at(65))
    assert _since(cursor) == 0, "what the transaction wrote at any time since is read by the next poll"
    assert _since(cursor.advanced(_at(70))) == 65


def test_a_transaction_that_began_after_the_last_poll_holds_nothing_up() -> None:
    cursor = TableCursor.first(_at(0)).advanced(_at(5, "4/1"))
    assert _since(cursor) == 0
    assert _since(cursor.advanced(_at(10, "9/9"))) == 5


def test_it_reads_back_as_it_was_written_in_any_zone() -> None:
    moment = datetime(2030, 1, 1, 14, 0, 0, 123456, timezone(timedelta(hours=2)))
    cursor = TableCursor(moment, moment, frozenset({"3/7", "4/1"}))
    assert TableCursor.from_text(cursor.text()) == cursor


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"since": 1, "asked_at": 2, "running": []}', "2030-01-01"])
def test_what_is_no_cursor_of_a_table_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own among them
        TableCursor.from_text(text)
