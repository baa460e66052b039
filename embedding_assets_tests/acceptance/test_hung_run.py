"""A run whose process hangs while it holds claims: the daemon ends it after its time limit, and the next run does the work."""

import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from embedding_assets.cli.dagster_home import with_psycopg2
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import paragraph
from embedding_assets_tests.support.dagster_process import DagsterProcesses, instance_of_up, prepare

_DOCUMENTS = [(f"{number:02}.md", paragraph(number, 0)) for number in range(10)]
# A run's time limit is what it may claim for, what it may finish for, and a minute: 75 s.
_VARIABLES = {
    "EMBEDDING_ASSETS_MAX_RUN_SECONDS": "10",
    "EMBEDDING_ASSETS_FINISH_SECONDS": "5",
    "EMBEDDING_ASSETS_LEASE_SECONDS": "5",
}
_NEXT_RUN_WITHIN_SECONDS = 180.0
_START_SECONDS = 150.0


@dataclass(frozen=True, slots=True)
class _Run:
    """A row of Dagster's; times in seconds since 1970."""

    status: str
    start: float | None
    time_limit: float


@pytest.mark.slow
@pytest.mark.long
def test_what_a_hung_run_held_is_published_by_the_next_within_three_minutes_of_its_time_limit(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    variables = {**_VARIABLES, "EMBEDDING_ASSETS_DAGSTER_URL": with_psycopg2(empty_database_url)}
    instance = instance_of_up()
    with Simulator() as provider:
        dagster = prepare(database_url, tmp_path, provider, _DOCUMENTS, instance=instance, variables=variables)
        dagster.ours("sync")
        provider.fault(FaultKind.DELAY, seconds=60)
        with dagster.running("daemon", "dagster._daemon", "run", "-w", str(dagster.workspace)) as daemon:
            _wait(lambda: provider.counters().requests > 0, dagster, _START_SECONDS)
            with _stopped(dagster.run_process(daemon.pid)):
                assert _count(database_url, b"SELECT count(lease_owner) FROM embedding_assets.work_items") > 0
                provider.reset()
                (hung,) = _runs(empty_database_url)
                assert hung.start is not None
                patience = hung.start + hung.time_limit + _NEXT_RUN_WITHIN_SECONDS + 60 - time.time()
                _wait(lambda: _all_published(database_url), dagster, patience)
            hung, following = _runs(empty_database_url)[:2]
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(timeout=60)
    assert hung.status == "FAILURE"
    assert hung.start is not None
    assert following.start is not None
    waited = following.start - (hung.start + hung.time_limit)
    print(f"the next run began {waited:.1f} s after the hung one's limit of {hung.time_limit:.0f} s")
    assert waited < _NEXT_RUN_WITHIN_SECONDS
    assert _count(database_url, b"SELECT count(*) FROM embedding_assets.work_items") == 0
    assert _count(database_url, b"SELECT count(*) FROM embedding_assets.failed_attempts") == 0


@contextmanager
def _stopped(process: int) -> Generator[None, None, None]:
    """The process hangs, and is killed at the end."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGKILL)


def _all_published(database_url: str) -> bool:
    return _count(database_url, b"SELECT count(*) FROM embedding_assets.publications") == len(_DOCUMENTS)


def _count(database_url: str, query: bytes) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def _runs(dagster_url: str) -> list[_Run]:
    """Of the job that embeds, the oldest first."""
    with psycopg.connect(dagster_url) as connection:
        rows = connection.execute(
            "SELECT r.status, r.start_time, t.value::float8 FROM runs AS r JOIN run_tags AS t USING (run_id) "
            "WHERE r.pipeline_name = 'docs__embed_documents' AND t.key = 'dagster/max_runtime' ORDER BY r.id"
        ).fetchall()
    return [_Run(*row) for row in rows]


def _wait(condition: Callable[[], bool], dagster: DagsterProcesses, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, dagster.log("daemon")[-3000:]
        time.sleep(0.2)
