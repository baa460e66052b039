"""A tracked table under the load of the real pgbench, disturbed: nothing is lost, nobody waits, nothing deadlocks. Small."""

import asyncio

import pytest

from bench.tracking.measuring import SPARE_ROWS, Size, reconcile, ride
from bench.tracking.scene import prepare, provider, working

_SIZE = Size(
    rows=2000, rate=40, ride=8.0, left_open=5.0, paused=1.0, locked=0.3, lock_patience=2.0, drained_within=120.0
)


@pytest.mark.slow
def test_an_application_under_load_loses_nothing_and_waits_for_nobody(database_url: str) -> None:
    asyncio.run(prepare(database_url, _SIZE.rows + SPARE_ROWS, tracked=True))
    with provider() as api_base, working(database_url, api_base) as worker:
        seen = ride(database_url, worker, _SIZE)
    assert seen.load.milliseconds
    assert (seen.load.failed, seen.application_waited, seen.worker_waited_for_application) == (0, 0, 0)
    assert (seen.deadlocks, seen.different) == (0, 0)
    assert seen.shown_meanwhile > 0
    assert (seen.migrated_while_open, seen.migrated_afterwards) == (False, True)
    assert reconcile(database_url) == 0
