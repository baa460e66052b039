"""Tells people what waits for them: first they are told, then it is remembered. At least once, never silently lost.

Whoever is not reached is told again by the next tick, and so is who was told just before this process was killed.
"""

from collections.abc import Sequence
from functools import partial

from embedding_assets.domain.failures import NotificationFailed
from embedding_assets.domain.notices import Notice, escalation_notice
from embedding_assets.domain.ports import Notifier
from embedding_assets.pipeline.threads import run_in_time
from embedding_assets.store import collections, triage
from embedding_assets.store.database import Database

# Of one notice; what is beyond comes with the next tick.
_DOCUMENTS_AT_ONCE = 10_000


async def tell(notifiers: Sequence[Notifier], notice: Notice, *, seconds: float) -> None:
    """Tell everybody, one after the other. One that has no time-out of its own of `seconds` is given up at twice that.

    Raises:
        NotificationFailed: somebody was not told.
    """
    for notifier in notifiers:
        name = type(notifier).__name__
        try:
            await run_in_time(partial(notifier.notify, notice), seconds=2 * seconds)
        except NotificationFailed:
            raise
        except TimeoutError:
            raise NotificationFailed(f"{name} did not come to an end within {2 * seconds:g} s") from None
        except Exception as error:
            # Of a registered notifier: its message may hold whatever it was given.
            raise NotificationFailed(f"{name} failed with {type(error).__name__}") from error


async def tell_escalations(db: Database, collection: str, notifiers: Sequence[Notifier], *, seconds: float) -> int:
    """Tell of escalated documents that nobody was told of; how many.

    Raises:
        NotificationFailed: nothing is marked as told.
    """
    async with db.transaction() as tx:
        applied = await collections.find(tx, collection)
        documents = await triage.untold(tx, applied.id, documents=_DOCUMENTS_AT_ONCE) if applied else []
    if not applied or not documents:
        return 0
    await tell(notifiers, escalation_notice(collection, documents), seconds=seconds)
    await db.atomically(lambda tx: triage.mark_told(tx, applied.id, documents))
    return len(documents)
