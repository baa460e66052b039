"""The order of it: the same load with and without triggers in turn, then everything that may go wrong beside it, then a comparison.

What is measured comes as values that print themselves. Not here: how any of it is done.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import psycopg
from typing_extensions import LiteralString

from bench.tracking import pgbench
from bench.tracking.disturbing import MIGRATION, in_reverse, left_open, migrate
from bench.tracking.pgbench import APPLICATION, NONE, Transactions
from bench.tracking.scene import Worker, open_table_bench
from bench.tracking.watching import Waits, deadlocks, watched
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.table_tracking import track, untrack
from embedding_assets.store.change_triggers import TrackedTable
from embedding_assets_tests.support.database import run

T = TypeVar("T")

# Rows that the load leaves to the transactions that disturb: an application's own locks are not the question.
SPARE_ROWS = 200
_OPEN, _REVERSED = slice(0, 100), slice(100, 130)
_DRAINED: LiteralString = """
SELECT NOT EXISTS (SELECT FROM embedding_assets.work_arrivals) AND NOT EXISTS (SELECT FROM embedding_assets.arrivals_aside)
   AND NOT EXISTS (SELECT FROM embedding_assets.work_items)
"""
# Every row against the version that search shows of it, and the chunk it shows.
_DIFFERENT: LiteralString = """
SELECT count(*) FROM public.articles AS a
LEFT JOIN embedding_assets.documents AS d ON d.document_key = a.id::text
LEFT JOIN embedding_assets.publications AS p USING (collection_id, document_key, version)
LEFT JOIN embedding_assets.chunks AS c USING (collection_id, model_id, document_key, version)
WHERE p.version IS NULL OR a.body IS DISTINCT FROM d.content OR rtrim(a.body) IS DISTINCT FROM rtrim(c.content)
"""


@dataclass(frozen=True, slots=True)
class Size:
    """Rows that the load updates, how many a second; seconds of each segment, and of all that disturbs."""

    rows: int
    rate: int
    segment: float = 10.0
    rounds: int = 3
    ride: float = 75.0
    left_open: float = 60.0
    paused: float = 10.0
    locked: float = 3.0
    lock_patience: float = 5.0
    drained_within: float = 600.0

    @property
    def spare(self) -> list[int]:
        """The rows that are left to the disturbing transactions."""
        return [self.rows + number for number in range(1, SPARE_ROWS + 1)]


@dataclass(slots=True)
class Cost:
    """What an update took without our triggers, with them while nobody processes, and with them beside a worker."""

    without: Transactions = NONE
    told: Transactions = NONE
    processed: Transactions = NONE

    def __str__(self) -> str:
        named = (
            ("without triggers", self.without),
            ("with triggers, worker stopped", self.told),
            ("with triggers, worker at work", self.processed),
        )
        lines = [
            f"{'milliseconds of an update':<34}{'average':>9}{'p50':>8}{'p95':>8}{'p99':>8}{'updates':>10}{'failed':>8}"
        ]
        for name, one in named:
            figures = "".join(f"{value:>8.2f}" for value in (one.quantile(0.5), one.quantile(0.95), one.quantile(0.99)))
            lines.append(f"{name:<34}{one.average:>9.2f}{figures}{len(one.milliseconds):>10,}{one.failed:>8}")
        return "\n".join(lines)


@dataclass(slots=True)
class Ride:
    """The load while everything was disturbed. `shown_meanwhile` documents were published while the transaction was open."""

    load: Transactions = NONE
    waits: Waits = field(default_factory=Waits)
    deadlocks: int = 0
    migrated_while_open: bool = False
    migrated_afterwards: bool = False
    shown_meanwhile: int = 0
    drained_seconds: float = 0.0
    different: int = -1

    @property
    def application_waited(self) -> int:
        """How often the application was seen waiting for anybody but itself."""
        return self.waits.of(APPLICATION, but_for=APPLICATION)

    @property
    def worker_waited_for_application(self) -> int:
        """How often anybody of us was seen waiting for the application; a migration does, up to its lock_timeout."""
        return sum(
            times
            for (who, whom), times in self.waits.seen.items()
            if whom == APPLICATION and who not in {APPLICATION, MIGRATION}
        )

    @property
    def harmless(self) -> bool:
        """Nothing was lost, nobody of the application waited or failed, and nothing of ours waited for it."""
        bad = (
            self.load.failed,
            self.application_waited,
            self.worker_waited_for_application,
            self.deadlocks,
            self.different,
        )
        return bad == (0, 0, 0, 0, 0) and self.shown_meanwhile > 0

    def __str__(self) -> str:
        return "\n".join(
            [
                f"updates {len(self.load.milliseconds):,}, failed {self.load.failed}",
                f"application waiting for a lock of ours, of {self.waits.looks:,} looks: {self.application_waited}",
                f"worker waiting for a lock of the application: {self.worker_waited_for_application}",
                f"deadlocks: {self.deadlocks}",
                f"published while a transaction was open: {self.shown_meanwhile:,}",
                f"migration had its locks while that was open, afterwards: {self.migrated_while_open}, {self.migrated_afterwards}",
                f"drained {self.drained_seconds:.0f} s after the last update; rows whose publication differs: {self.different}",
            ]
        )


def cost(url: str, tracked: TrackedTable, worker: Worker, size: Size) -> Cost:
    """The three ways in turn, so that what else the machine does meets all of them."""
    found = Cost()
    load = partial(pgbench.update, url, rows=size.rows, rate=size.rate, seconds=size.segment)
    for _ in range(size.rounds):
        run(url, partial(untrack, collection_id=tracked.collection_id))
        drain(url, size.drained_within)
        found.without += load()
        run(url, partial(track, tracked=tracked))
        worker.pause()
        found.told += load()
        worker.go_on()
        drain(url, size.drained_within)
        found.processed += load()
    return found


def ride(url: str, worker: Worker, size: Size) -> Ride:
    """Tracked, the application loses nothing and waits for nobody, whatever happens meanwhile."""
    found, before = Ride(), deadlocks(url)
    with (
        watched(url) as found.waits,
        pgbench.updating(url, rows=size.rows, rate=size.rate, seconds=size.ride) as load,
        in_reverse(url, size.spare[_REVERSED], seconds=size.ride),
        left_open(url, size.spare[_OPEN], seconds=size.left_open) as open_transaction,
    ):
        published = _one(url, "SELECT clock_timestamp()")
        time.sleep(size.left_open / 6)
        found.migrated_while_open = migrate(url, patience=size.lock_patience, seconds=size.locked)
        worker.pause()
        time.sleep(size.paused)
        worker.go_on()
        open_transaction.join()
        found.shown_meanwhile = _one(
            url, "SELECT count(*) FROM embedding_assets.publications WHERE published_at > %s", published
        )
        found.migrated_afterwards = migrate(url, patience=size.lock_patience, seconds=size.locked)
        found.load = load.result()
    found.drained_seconds = drain(url, size.drained_within)
    found.deadlocks = deadlocks(url) - before
    found.different = different(url)
    return found


def reconcile(url: str) -> int:
    """List the whole table, as a poll does once a day; the documents that it found new or changed."""

    async def poll() -> int:
        async with open_table_bench(url, None, "poll") as bench:
            difference = (await sync_source(bench)).difference
            return difference.new + difference.changed + difference.missing

    return asyncio.run(poll())


def drain(url: str, within: float) -> float:
    """Wait until the queue is empty; seconds.

    Raises:
        TimeoutError: it was not, in this time.
    """
    started = time.monotonic()
    while not _one(url, _DRAINED):
        if time.monotonic() > started + within:
            raise TimeoutError(f"the queue was not empty after {within:g} s")
        time.sleep(0.1)
    return time.monotonic() - started


def different(url: str) -> int:
    """Rows whose content is not what is published of them."""
    return _one(url, _DIFFERENT)


def _one(url: str, query: LiteralString, *values: object) -> T:  # pyright: ignore[reportInvalidTypeVarUse]
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query, values or None).fetchone()
    assert row is not None
    return row[0]


def figures(url: str, tracked: TrackedTable, worker: Worker, size: Size) -> Iterator[Cost | Ride | str]:
    """Everything, as soon as it is known."""
    yield cost(url, tracked, worker, size)
    drain(url, size.drained_within)
    missed, polled = different(url), reconcile(url)
    drain(url, size.drained_within)
    yield (
        f"rows changed while there were no triggers: {missed:,}; a poll found {polled:,}, "
        f"and once they were processed {different(url)} differed"
    )
    yield ride(url, worker, size)
    yield f"a poll afterwards found {reconcile(url)} that nobody had told of"
