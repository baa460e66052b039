"""One scrape: every question to the database in a short transaction of its own, and what each answer is called.

A question that fails or takes too long leaves out its own metrics alone. Not here: the questions (store/metric_readings), the
format (telemetry/exposition), who asks (exporter).
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from embedding_assets.domain.counts import BucketsDiffer, Counts
from embedding_assets.domain.failures import ErrorType, StoreError
from embedding_assets.pipeline.scraped_gauges import READINGS, known_labels
from embedding_assets.store import ledger, metric_readings
from embedding_assets.store.database import Tx
from embedding_assets.store.reserved import ReservedConnection
from embedding_assets.telemetry.catalogue import CATALOGUE
from embedding_assets.telemetry.exposition import Snapshot, kept_gauges
from embedding_assets.telemetry.gauges import DATABASE_UP, QUERY_UP

T = TypeVar("T")

_log = logging.getLogger(__name__)

# Prometheus waits ten seconds for a scrape unless told otherwise.
_QUERY_SECONDS, _SCRAPE_SECONDS = 2.0, 8.0
# A question that these end was not answered because of itself: the database is there.
_ITS_OWN_FAULT = frozenset({ErrorType.DATABASE_BUSY, ErrorType.INVALID_DATA, ErrorType.UNEXPECTED})


async def scrape(connection: ReservedConnection) -> Snapshot:
    """Everything as it stands now; with the database away, nothing but that."""
    one = _Scrape(connection)
    try:
        with anyio.fail_after(_SCRAPE_SECONDS):
            await one.ask_all()
    except TimeoutError:
        # A connection in the middle of an answer is of no use to the next scrape.
        await connection.close()
        if not one.snapshot.is_up:
            return Snapshot()
    except StoreError as error:
        _log.warning("the database is away: %s", error)
        await connection.close()
        return Snapshot()
    return one.told()


class _Scrape:
    def __init__(self, connection: ReservedConnection) -> None:
        self._connection = connection
        self._answered = dict.fromkeys(("known", "ledger", *READINGS), 0.0)
        self.snapshot = Snapshot()

    async def ask_all(self) -> None:
        """First which collections there are: without them no label set is whole.

        Raises:
            StoreError: the database is away.
        """
        known = await self._ask("known", metric_readings.known)
        self.snapshot.is_up = True
        self.snapshot.gauges[DATABASE_UP.name] = {(): 1.0}
        if known is not None:
            self.snapshot.known = known_labels(known)
            await self._ask_ledger()
            for name, reading in READINGS.items():
                await self._ask(name, lambda tx, read=reading: read(tx, known, self.snapshot))

    def told(self) -> Snapshot:
        """The snapshot with which questions were answered."""
        self.snapshot.gauges[QUERY_UP.name] = {(name,): up for name, up in self._answered.items()}
        return self.snapshot

    async def _ask_ledger(self) -> None:
        try:
            counts = await self._ask("ledger", ledger.read)
        except BucketsDiffer as error:
            _log.error("the ledger cannot be shown: %s", error)
            return
        if counts is not None:
            self.snapshot.ledger = self._of_these_bounds(counts)
            self.snapshot.gauges |= kept_gauges(counts)

    def _of_these_bounds(self, counts: Counts) -> Counts | None:
        for (name, _), buckets in counts.histograms.items():
            if name in CATALOGUE and CATALOGUE[name].buckets != buckets.bounds:
                _log.error("the ledger cannot be shown: %s", BucketsDiffer(name))
                self._answered["ledger"] = 0.0
                return None
        return counts

    async def _ask(self, name: str, read: Callable[[Tx], Awaitable[T]]) -> T | None:
        try:
            async with self._connection.transaction(seconds=_QUERY_SECONDS) as tx:
                answer = await read(tx)
        except StoreError as error:
            if error.error_type not in _ITS_OWN_FAULT:
                raise
            _log.warning("%s could not be read: %s", name, error)
            return None
        self._answered[name] = 1.0
        return answer
