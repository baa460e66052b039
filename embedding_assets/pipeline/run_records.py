"""Runs, ticks and checks in the ledger: how long a run took, when one of its kind last succeeded, what ended it.

Not here: what a run does, or who calls it a run (defs, cli). Nothing here is a reason for a run to fail.
"""

import contextlib
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import anyio

from embedding_assets.domain.counts import Counts
from embedding_assets.domain.failures import ClassifiedError, StoreError
from embedding_assets.domain.health import Finding
from embedding_assets.pipeline.run_ledger import RunLedger, count_error
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import ledger, source_listings
from embedding_assets.store.database import Database, Tx
from embedding_assets.telemetry.durable import RUN_DURATION
from embedding_assets.telemetry.gauges import RUN_LAST_SUCCESS, SCHEDULER_LAST_TICK, STORED_CHECK_BAD_ROWS


async def record_run(
    db: Database, job: str, collection: str, *, seconds: float, error: BaseException | None = None
) -> None:
    """A run of this kind ended after so long, by this error or well."""
    of_run = RunLedger()
    RUN_DURATION.observe(of_run.held, seconds, job, collection)
    if isinstance(error, ClassifiedError):
        count_error(of_run, collection, error)

    async def enter(tx: Tx) -> None:
        counts = Counts()
        if error is None:
            now = await source_listings.server_time(tx)
            RUN_LAST_SUCCESS.note(counts, now.timestamp(), job, collection)
        await of_run.enter(tx, counts)

    await db.atomically(enter)
    await of_run.end(db)


@asynccontextmanager
async def recorded(bench: Workbench, job: str) -> AsyncGenerator[None, None]:
    """The block is a run of this kind, over this bench."""
    started = time.monotonic()
    ended_by: BaseException | None = None
    try:
        yield
    except BaseException as error:
        ended_by = error
        raise
    finally:
        with anyio.CancelScope(shield=True), contextlib.suppress(StoreError):
            seconds = time.monotonic() - started
            await record_run(bench.db, job, bench.target.name, seconds=seconds, error=ended_by)


async def record_tick(db: Database) -> None:
    """A schedule or a sensor looked at the queue."""
    async with db.transaction() as tx:
        now = await source_listings.server_time(tx)
        await ledger.keep_latest(tx, {(SCHEDULER_LAST_TICK.name, ()): now.timestamp()})


async def record_findings(db: Database, collection: str, findings: Mapping[str, Finding]) -> None:
    """What the checks of the stored data found wrong: rows where they count rows, else 1 where they fail."""
    bad = {
        (STORED_CHECK_BAD_ROWS.name, STORED_CHECK_BAD_ROWS.checked((collection, name))): _bad_rows(finding)
        for name, finding in findings.items()
    }
    async with db.transaction() as tx:
        await ledger.keep(tx, bad)


def _bad_rows(finding: Finding) -> float:
    if finding.passed:
        return 0.0
    return finding.numbers.get("found", 1.0)
