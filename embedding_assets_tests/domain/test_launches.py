"""Which run of a key counts, and which partitions may be launched."""

import pytest

from embedding_assets.domain.launches import (
    LaunchedRun,
    LaunchOrder,
    LaunchRefused,
    checked_partitions,
    run_tags,
    superfluous,
    the_run,
)

_SHARDS = [f"{shard:02}" for shard in range(16)]
_RETRY = {"dagster/parent_run_id": "a"}


def _run(run_id: str, status: str = "STARTED", **tags: str) -> LaunchedRun:
    return LaunchedRun(run_id, status, tags)


def test_the_oldest_run_of_a_key_counts() -> None:
    newest_first = [_run("c"), _run("b"), _run("a", "SUCCESS")]
    assert the_run(newest_first) == newest_first[2]


def test_a_failed_run_counts_and_a_canceled_one_does_not() -> None:
    assert the_run([_run("b"), _run("a", "FAILURE")]) == _run("a", "FAILURE")
    assert the_run([_run("b"), _run("a", "CANCELED")]) == _run("b")
    assert the_run([_run("a", "CANCELED")]) is None


def test_a_retry_by_dagster_is_neither_the_run_nor_superfluous() -> None:
    retry = LaunchedRun("b", "STARTED", _RETRY)
    assert the_run([retry, _run("a", "FAILURE")]) == _run("a", "FAILURE")
    assert superfluous([retry, _run("a", "FAILURE")]) == []


def test_of_runs_in_progress_all_but_the_oldest_are_superfluous() -> None:
    assert superfluous([_run("d"), _run("c", "SUCCESS"), _run("b", "QUEUED"), _run("a")]) == [
        _run("d"),
        _run("b", "QUEUED"),
    ]


@pytest.mark.parametrize(
    ("status", "tags", "waits"),
    [
        ("FAILURE", {"dagster/will_retry": "true"}, True),
        ("FAILURE", {"dagster/will_retry": "true", "dagster/auto_retry_run_id": "b"}, False),
        ("FAILURE", {"dagster/will_retry": "false"}, False),
        ("FAILURE", {}, False),
        ("SUCCESS", {"dagster/will_retry": "true"}, False),
    ],
)
def test_a_failed_run_is_waited_for_while_dagster_is_to_retry_it(
    status: str,
    tags: dict[str, str],
    waits: bool,  # noqa: FBT001
) -> None:
    assert LaunchedRun("a", status, tags).will_be_retried is waits


def test_a_run_that_just_failed_is_looked_at_again_before_it_counts_as_failed() -> None:
    assert _run("a", "FAILURE").may_be_retried
    assert not LaunchedRun("a", "FAILURE", {"dagster/will_retry": "false"}).may_be_retried
    assert not _run("a", "CANCELED").may_be_retried


def test_without_partitions_a_partitioned_job_runs_over_all_of_them() -> None:
    assert checked_partitions(_SHARDS, LaunchOrder("j", "k")) == ("00", "15")
    assert checked_partitions(_SHARDS, LaunchOrder("j", "k", ("03", "03"))) == ("03", "03")
    assert checked_partitions([], LaunchOrder("j", "k")) is None


@pytest.mark.parametrize("given", [("00", "16"), ("0", "1"), ("", ""), ("15", "00")])
def test_partitions_that_dagster_would_take_and_fail_on_are_refused_before(given: tuple[str, str]) -> None:
    with pytest.raises(LaunchRefused):
        checked_partitions(_SHARDS, LaunchOrder("j", "k", given))


def test_a_run_carries_its_key_and_range_whatever_tags_were_given() -> None:
    order = LaunchOrder("j", "nightly", tags={"team": "search", "embedding_assets/launch_key": "another"})
    assert run_tags(order, ("00", "07")) == {
        "team": "search",
        "dagster/asset_partition_range_start": "00",
        "dagster/asset_partition_range_end": "07",
        "embedding_assets/launch_key": "nightly",
    }
