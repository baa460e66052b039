"""When what there is runs out, by what was measured; and an honest answer where nothing was."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta, timezone

import pytest

from embedding_assets.domain.capacity import CapacityReport, Facts, Outlook, assess
from embedding_assets.domain.daily import Record, Standing
from embedding_assets.domain.forecast import Projection, TooLittle
from embedding_assets.domain.throughput import Ceiling, CollectionFacts, by_limit, by_storage, by_workers

FIRST = date(2026, 1, 5)
DAYS = 60
DOCS = CollectionFacts("docs", "openai/small", "key", 2)
WIKI = CollectionFacts("wiki", "openai/small", "key", 1)
NOW = datetime(2026, 3, 6, tzinfo=timezone.utc)


def over_days(value: Callable[[int], float], days: int = DAYS) -> list[Standing]:
    late = time(23, 55, tzinfo=timezone.utc)
    dates = [FIRST + timedelta(days=number) for number in range(days)]
    return [Standing(day, datetime.combine(day, late), value(number)) for number, day in enumerate(dates)]


def record(days: int = DAYS, collections: Sequence[str] = ("docs",)) -> Record:
    """2,400 documents and changes a day per collection, 2 chunks and a request of half a second each, the disk growing by 1 GB."""
    standings = {}
    for name in collections:
        standings |= {
            ("embedding_changes_total", (name, "success")): over_days(lambda n: 2400.0 * n, days),
            ("embedding_documents_processed_total", (name, "success")): over_days(lambda n: 2400.0 * n, days),
            ("embedding_chunks_processed_total", (name,)): over_days(lambda n: 6000.0 * n, days),
            ("embedding_chunks_reused_total", (name,)): over_days(lambda n: 1200.0 * n, days),
            ("embedding_run_duration_seconds_sum", ("embed_documents", name)): over_days(lambda n: 4800.0 * n, days),
            ("live_queue", (name,)): over_days(lambda _: 100.0, days),
        }
    return Record(
        {
            **standings,
            ("embedding_api_requests_total", ("openai/small", "200")): over_days(lambda n: 1200.0 * n, days),
            ("embedding_stage_duration_seconds_sum", ("storage",)): over_days(lambda n: 60.0 * n, days),
            ("embedding_cost_usd_total", ("openai/small",)): over_days(lambda n: 2.0 * n, days),
            ("database_bytes", ()): over_days(lambda n: 50e9 + 1e9 * n, days),
            ("index_bytes", ("docs", "openai/small")): over_days(lambda n: 1e9 + 1e7 * n, days),
            ("connections", ()): over_days(lambda _: 20.0, days),
        }
    )


def facts(kept: Record, *, collections: Sequence[CollectionFacts] = (DOCS,)) -> Facts:
    return Facts(kept, collections, [Ceiling("key", "inputs", 315)], 150e9, 4e9, 97, 100)


def outlook(report: CapacityReport, resource: str) -> Outlook:
    return next(one for one in report.outlooks if one.resource == resource)


def test_a_limit_lets_through_its_ceiling_by_what_a_document_needs() -> None:
    # 2 inputs a document: 315 a minute are 9,450 documents an hour.
    assert by_limit(record(), [DOCS], [Ceiling("key", "inputs", 315)]) == pytest.approx(9450)


def test_the_scarcest_resource_decides() -> None:
    ceilings = [Ceiling("key", "inputs", 315), Ceiling("key", "requests", 10)]
    assert by_limit(record(), [DOCS], ceilings) == pytest.approx(1200)


def test_of_collections_under_one_limit_each_takes_its_part() -> None:
    both = record(collections=("docs", "wiki"))
    assert by_limit(both, [DOCS, WIKI], [Ceiling("key", "inputs", 315)]) == pytest.approx(9450)


def test_a_collection_without_a_limit_is_not_bounded_by_that_of_another() -> None:
    both = record(collections=("docs", "wiki"))
    free = replace(WIKI, limit=None)
    assert by_limit(both, [DOCS, free], [Ceiling("key", "inputs", 315)]) == pytest.approx(18_900)


def test_runs_work_as_fast_as_they_did_times_how_many_there_may_be() -> None:
    assert by_workers(record(), [DOCS]) == pytest.approx(2400 / 4800 * 3600 * 2)


def test_time_that_documents_waited_for_the_limit_is_no_work() -> None:
    kept = {
        **record().standings,
        ("embedding_document_duration_seconds_sum", ("docs", "included")): over_days(lambda n: 40.0 * n),
        ("embedding_document_duration_seconds_sum", ("docs", "excluded")): over_days(lambda n: 10.0 * n),
    }
    assert by_workers(Record(kept), [DOCS]) == pytest.approx(4 * 2400 / 4800 * 3600 * 2)


def test_storing_alone_would_let_through_much_more() -> None:
    assert by_storage(record(), [DOCS]) == pytest.approx(2400 / 60 * 3600 * 2)


def test_where_nothing_was_measured_there_is_no_capacity() -> None:
    nothing = Record({})
    assert (by_limit(nothing, [DOCS], []), by_workers(nothing, [DOCS]), by_storage(nothing, [DOCS])) == (None,) * 3


def test_arrivals_are_changes_that_ended_and_what_the_queue_grew_by() -> None:
    kept = {**record().standings, ("live_queue", ("docs",)): over_days(lambda n: 600.0 * n)}
    report = assess(facts(Record(kept)), NOW)
    assert isinstance(report.arrivals, Projection)
    assert report.arrivals.week_before(7)[1] == pytest.approx(3000)


def test_a_disk_that_grows_has_a_date() -> None:
    disk = outlook(assess(facts(record()), NOW), "disk")
    # 50 GB and 1 GB a day reach 150 GB a hundred days after the first.
    assert disk.runs_out == FIRST + timedelta(days=100)
    assert disk.used == pytest.approx(109e9)
    assert disk.earliest
    assert disk.earliest <= FIRST + timedelta(days=100)


def test_cost_is_of_a_month() -> None:
    cost = outlook(assess(facts(record()), NOW), "monthly_cost")
    assert (cost.used, cost.capacity, cost.runs_out) == (pytest.approx(60), 100, None)
    assert cost.ahead[30][1] == pytest.approx(60, rel=0.01)


def test_connections_and_index_are_held_against_what_the_server_has() -> None:
    report = assess(facts(record()), NOW)
    assert (outlook(report, "connections").capacity, outlook(report, "connections").runs_out) == (97, None)
    assert outlook(report, "index_memory").ahead[90][1] == pytest.approx(1e9 + 149e7, rel=0.02)


def test_arrivals_that_outgrow_the_limit_name_the_day() -> None:
    growing = {
        ("embedding_changes_total", ("docs", "success")): over_days(lambda n: 200_000.0 * n + 500.0 * n * n),
    }
    report = assess(facts(Record({**record().standings, **growing})), NOW)
    limit, arrivals = outlook(report, "rate_limit"), report.arrivals
    assert isinstance(arrivals, Projection)
    assert limit.capacity == pytest.approx(9450)
    assert limit.used == pytest.approx(200_000 / 24 + 1000 * 55.5 / 24, rel=0.02)
    assert limit.runs_out == arrivals.reaches(9450 * 24, arrivals.estimate)
    assert limit.earliest is not None


def test_a_disk_nobody_told_of_never_runs_out_and_says_so() -> None:
    disk = outlook(assess(replace(facts(record()), disk_bytes=None), NOW), "disk")
    assert disk.runs_out is None
    assert "database_disk_gigabytes" in disk.missing
    assert disk.ahead[30][1] > 109e9


def test_with_ten_days_of_history_capacities_are_known_and_nothing_is_forecast() -> None:
    report = assess(facts(record(days=10)), NOW)
    assert report.arrivals == TooLittle(9, 14)
    limit = outlook(report, "rate_limit")
    assert limit.capacity == pytest.approx(9450)
    assert (limit.runs_out, limit.ahead) == (None, {})
    assert limit.missing == "no forecast: 9 days of history are known, and 14 are needed"


def test_with_nothing_at_all_it_says_so_for_each_resource() -> None:
    report = assess(replace(facts(Record({})), ceilings=[], disk_bytes=None, month_usd=None), NOW)
    assert all(one.missing and one.runs_out is None for one in report.outlooks)
