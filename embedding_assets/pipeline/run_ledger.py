"""What one process counts, on its way into the ledger: with the transaction that makes it true, or with the next one.

Requests, waits and failed connections happen outside any transaction: they are held here, entered with the next settle or at the
end, once. A process that is killed loses what it holds; what a transaction counts of itself (documents, promises), never.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio

from embedding_assets.domain.circuits import CircuitOpen
from embedding_assets.domain.counts import Counts, merged
from embedding_assets.domain.failures import ClassifiedError, SourceError, StoreError
from embedding_assets.domain.work import Stage
from embedding_assets.store import ledger
from embedding_assets.store.database import Database, Tx
from embedding_assets.telemetry.durable import ERRORS

_log = logging.getLogger(__name__)

# A run that ends because the database went away waits so long to say so there; a restart takes a second or two.
_PATIENCE_SECONDS = 10.0
_TRIES = 3


def count_error(ledger: "RunLedger", collection: str, error: ClassifiedError) -> None:
    """Count a failure that is nobody's document, once, however many see it pass. An open circuit is none: it was counted before."""
    if error.is_counted or isinstance(error, CircuitOpen):
        return
    error.is_counted = True
    ERRORS.add(ledger.held, collection, _stage(error).value, error.error_type.value)


def _stage(error: ClassifiedError) -> Stage:
    match error:
        case SourceError():
            return Stage.FETCHING
        case StoreError():
            return Stage.STORAGE
        case _:
            return Stage.EMBEDDING


@dataclass(slots=True)
class RunLedger:
    """`held` waits for a transaction; what was entered is kept, by its transaction's id, until that is known to be committed."""

    held: Counts = field(default_factory=Counts)
    _entered: dict[int, Counts] = field(default_factory=dict[int, Counts])

    async def enter(self, tx: Tx, counts: Counts) -> None:
        """Enter these counts of the transaction, and what is held. To be its last statement.

        Raises:
            BucketsDiffer: a histogram was counted by other bounds before.
        """
        held, self.held = self.held, Counts()
        try:
            entered = await ledger.enter(tx, merged(counts, held), earlier=list(self._entered))
        except BaseException:
            self.held.merge(held)
            raise
        self._learn(entered.became)
        if held:
            self._entered[entered.transaction] = held

    async def end(self, db: Database) -> None:
        """Enter what is still held, and make sure of what was entered. Not for ever: it is written to the log what is lost."""
        try:
            with anyio.fail_after(_PATIENCE_SECONDS, shield=True):
                for _ in range(_TRIES):
                    await self._settle_up(db)
                    if not self.held and not self._entered:
                        return
        except (StoreError, TimeoutError) as error:
            _log.warning("counts of this run are lost, %d series: %s", len(self.held.counters), error)

    async def _settle_up(self, db: Database) -> None:
        if self._entered:
            async with db.transaction() as tx:
                self._learn(await ledger.became_of(tx, list(self._entered)))
        if self.held:
            await db.atomically(lambda tx: self.enter(tx, Counts()))

    def _learn(self, became: Mapping[int, str]) -> None:
        """A commit whose answer was lost is known by its id: committed counts are forgotten, aborted ones held again."""
        for transaction, status in became.items():
            if status == "in progress":
                continue
            # Two transactions of this process may ask at once; the first answer is enough.
            counts = self._entered.pop(transaction, None)
            if counts is not None and status == "aborted":
                self.held.merge(counts)
