"""Tracking of a table: its triggers are made, made anew where the columns changed, or dropped; each as often as one likes.

Whoever writes to the table waits behind us while we wait for it: so never for more than a moment, and again a little later.
Not here: their SQL (store/change_triggers).
"""

from collections.abc import Sequence

import anyio

from embedding_assets.domain.failures import EmbeddingAssetsError, ErrorType, StoreError
from embedding_assets.store import change_triggers
from embedding_assets.store.change_triggers import NotTrackable, Statement, TrackedTable, Trigger
from embedding_assets.store.database import Database

_TRIES = 8
_PAUSE_SECONDS = 0.5


class TableBusy(EmbeddingAssetsError):
    """Transactions held the table all the while; nothing was changed."""


async def track(db: Database, tracked: TrackedTable, *, dry_run: bool = False) -> list[str]:
    """Make what is missing; the statements, none where everything was there. `dry_run` makes nothing.

    Raises:
        NotTrackable: there can be no triggers on this table, or this role may not make them.
        SourceError: the table or a column is not there.
        TableBusy: it was in use.
    """
    async with db.transaction() as tx:
        await change_triggers.check(tx, tracked.columns)
        statements = change_triggers.needed(tracked, await change_triggers.installed(tx, tracked.collection_id))
    if statements and not dry_run:
        await _execute(db, statements, tracked.columns.schema, tracked.columns.table)
    return _texts(statements)


async def untrack(db: Database, collection_id: int, *, dry_run: bool = False) -> list[str]:
    """Drop the collection's triggers, on whichever table they are, and their function; the statements, none where none was there.

    Raises:
        TableBusy: the table was in use.
    """
    there = await triggers_of(db, collection_id)
    statements = change_triggers.untracking(collection_id) if there else []
    if statements and not dry_run:
        await _execute(db, statements, there[0].schema, there[0].table)
    return _texts(statements)


async def triggers_of(db: Database, collection_id: int) -> list[Trigger]:
    """Those that are there."""
    async with db.transaction() as tx:
        return await change_triggers.installed(tx, collection_id)


async def is_current(db: Database, collection_id: int, tracked: TrackedTable | None) -> bool:
    """Whether the triggers that are there are those of the tracked table as it is read now; True where there are none."""
    there = await triggers_of(db, collection_id)
    return not there or (tracked is not None and not change_triggers.needed(tracked, there))


async def _execute(db: Database, statements: Sequence[Statement], schema: str, table: str) -> None:
    for tried in range(1, _TRIES + 1):
        try:
            async with db.transaction() as tx:
                await change_triggers.execute(tx, statements)
                return
        except StoreError as error:
            if error.error_type is ErrorType.DATABASE_REFUSED:
                raise _not_allowed(f"{schema}.{table}", error) from None
            if error.error_type is not ErrorType.DATABASE_BUSY:
                raise
        if tried < _TRIES:
            await anyio.sleep(_PAUSE_SECONDS)
    async with db.transaction() as tx:
        pids = await change_triggers.in_the_way(tx, schema, table)
    holders = ", ".join(map(str, pids)) or "gone by now"
    raise TableBusy(
        f"{schema}.{table} was in use by transactions that did not end (processes {holders}; pg_stat_activity shows what they "
        "do): nothing was changed; run it again when they have ended"
    )


def _not_allowed(table: str, error: StoreError) -> NotTrackable:
    return NotTrackable(
        f"{error}. As the owner of {table}: GRANT TRIGGER ON {table} TO the role of EMBEDDING_ASSETS_DATABASE_URL, "
        "or run as that owner what --dry-run prints"
    )


def _texts(statements: Sequence[Statement]) -> list[str]:
    return [statement.as_string() for statement in statements]
