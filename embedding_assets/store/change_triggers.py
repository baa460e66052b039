"""Triggers on a table of an application in our own database, which tell of its changes: their SQL, and which are there.

They append references in the application's transaction, wait for nothing of ours and fail nothing of theirs: why and how is in
docs/decisions/tracking-a-table.md. Not here: when they are made (pipeline/table_tracking), reading the table (foreign_tables).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from psycopg import sql
from typing_extensions import LiteralString

from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.domain.tables import TableColumns
from embedding_assets.store.database import Tx
from embedding_assets.store.foreign_columns import checked_types, key_text
from embedding_assets.store.queries import load_queries

_SQL = load_queries("change_triggers")

# One statement; `as_string()` is its text.
Statement: TypeAlias = sql.Composed
_OPERATIONS: dict[str, LiteralString] = {
    "insert": _SQL["create_insert_trigger"],
    "update": _SQL["create_update_trigger"],
    "delete": _SQL["create_delete_trigger"],
    "truncate": _SQL["create_truncate_trigger"],
}
_BODY_MARK = "$tell_changes$"
# Ordinary and partitioned.
_TABLES = {"r", "p"}


class NotTrackable(EmbeddingAssetsError):
    """There can be no triggers for this collection; the message says why."""


@dataclass(frozen=True, slots=True)
class TrackedTable:
    """The table of a collection, and the columns whose changes count."""

    collection: str
    collection_id: int
    columns: TableColumns

    @property
    def shown(self) -> list[str]:
        """Columns that a reader sees something of, or that say whether the row counts. Not the time of change: a touch is none."""
        one = self.columns
        named = [*one.content, *one.metadata, *filter(None, [one.title, one.uri, one.deleted_at])]
        return list(dict.fromkeys(named))


@dataclass(frozen=True, slots=True)
class Trigger:
    """One that is there, enabled or not; `body` is the text of the function it calls."""

    schema: str
    table: str
    name: str
    enabled: bool
    body: str


def tracking(tracked: TrackedTable) -> list[Statement]:
    """The statements that make the function and all triggers."""
    return [*function_of(tracked), *(trigger_on(tracked, operation) for operation in _OPERATIONS)]


def function_of(tracked: TrackedTable) -> list[Statement]:
    """The statements that make the function, or make it anew: triggers that call it stay as they are."""
    name = _function(tracked.collection_id)
    created = sql.SQL(_SQL["create_function"]).format(
        function=name,
        collection=sql.Literal(tracked.collection),
        collection_id=sql.Literal(tracked.collection_id),
        new_key=key_text(tracked.columns.key, "n"),
        old_key=key_text(tracked.columns.key, "o"),
        new_columns=_columns("n", tracked.shown),
        old_columns=_columns("o", tracked.shown),
    )
    if created.as_string().count(_BODY_MARK) != 2:
        raise NotTrackable(f"{tracked.columns.name}: a name of a column must not hold {_BODY_MARK}")
    return [created, sql.SQL(_SQL["protect_function"]).format(function=name)]


def body_of(tracked: TrackedTable) -> str:
    """The function's text, as PostgreSQL keeps it."""
    return function_of(tracked)[0].as_string().split(_BODY_MARK)[1]


def trigger_on(tracked: TrackedTable, operation: str) -> Statement:
    """The statement that makes the trigger of `insert`, `update`, `delete` or `truncate`."""
    return sql.SQL(_OPERATIONS[operation]).format(
        trigger=sql.Identifier(trigger_name(tracked.collection, operation)),
        table=sql.Identifier(tracked.columns.schema, tracked.columns.table),
        function=_function(tracked.collection_id),
    )


def trigger_name(collection: str, operation: str) -> str:
    """At most 56 bytes, within PostgreSQL's 63."""
    return f"embed_{collection}_{operation}"


def needed(tracked: TrackedTable, there: Sequence[Trigger]) -> list[Statement]:
    """The statements that lead from the triggers that are there to those that should be; none where they are the same."""
    columns = tracked.columns
    right = {one.name for one in there if (one.schema, one.table, one.enabled) == (columns.schema, columns.table, True)}
    if len(there) == len(right) and right == {trigger_name(tracked.collection, operation) for operation in _OPERATIONS}:
        return [] if there[0].body == body_of(tracked) else function_of(tracked)
    return [*(untracking(tracked.collection_id) if there else []), *tracking(tracked)]


def untracking(collection_id: int) -> list[Statement]:
    """The statements that drop the collection's function and with it every trigger that calls it, whoever owns the table."""
    return [sql.SQL(_SQL["drop_function"]).format(function=_function(collection_id))]


async def installed(tx: Tx, collection_id: int) -> list[Trigger]:
    """The triggers that call this collection's function, on whichever table, sorted."""
    rows = await (await tx.execute(_SQL["installed"], {"function": _function_name(collection_id)})).fetchall()
    return sorted((Trigger(*row) for row in rows), key=lambda one: (one.schema, one.table, one.name))


async def check(tx: Tx, columns: TableColumns) -> None:
    """Raise unless the table is one of our database that triggers can be made on, with these columns.

    Raises:
        NotTrackable: it is none.
        SourceError: as reading it would.
    """
    values = {"schema": columns.schema, "table": columns.table}
    rows = await (await tx.execute(_SQL["columns"], values)).fetchall()
    checked_types(columns, {name: (cast_to, kind) for name, cast_to, kind in rows})
    kind = await (await tx.execute(_SQL["kind_of_table"], values)).fetchone()
    if kind is None or kind[0] not in _TABLES:
        raise NotTrackable(
            f"{columns.name} is a view or a foreign table, which can tell nothing: its changes are found by polls"
        )


async def in_the_way(tx: Tx, schema: str, table: str) -> list[int]:
    """Processes whose transactions hold the table, the oldest first."""
    values = {"schema": schema, "table": table}
    return [row[0] for row in await (await tx.execute(_SQL["in_the_way"], values)).fetchall()]


async def execute(tx: Tx, statements: Sequence[Statement]) -> None:
    """Run them, waiting a moment at most for a table."""
    await tx.execute(_SQL["bound_waiting"])
    for statement in statements:
        await tx.execute(statement)


def _function(collection_id: int) -> sql.Identifier:
    return sql.Identifier("embedding_assets", _function_name(collection_id))


def _function_name(collection_id: int) -> str:
    return f"tell_changes_{collection_id}"


def _columns(row: str, names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(row, name) for name in names)
