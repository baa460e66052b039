"""The commands `collections track` and `untrack`: triggers on a table of an application, which tell of its changes.

Not here: the triggers (store/change_triggers), and how they are made beside a busy application (pipeline/table_tracking).
"""

from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import out, visible
from embedding_assets.cli.session import current_settings, run_async

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedding_assets.collections_file import CollectionsFile
    from embedding_assets.settings import Settings
    from embedding_assets.store.change_triggers import TrackedTable
    from embedding_assets.store.database import Database

Name = Annotated[str, typer.Argument(help="The collection.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the SQL and change nothing.")]


@examples("embedding-assets collections track docs", "embedding-assets collections track docs --dry-run")
def track(name: Name, dry_run: DryRun = False) -> None:
    """Have a collection's table tell of its changes in the application's own transactions.

    For a source of type postgres-table in our own database. Makes triggers on it, or makes them anew after other columns were
    applied; run it as often as you like. An application is never held up by it for more than a moment.
    """
    settings = current_settings()
    table, statements = run_async(lambda: _track(settings, name, dry_run=dry_run))
    if dry_run:
        _print(statements)
    elif statements:
        out().print(f"{name}: {visible(table)} tells of its changes")
    else:
        out().print(f"{name}: nothing to do: {visible(table)} tells of its changes already")


@examples("embedding-assets collections untrack docs", "embedding-assets collections untrack docs --dry-run")
def untrack(name: Name, dry_run: DryRun = False) -> None:
    """Drop the triggers that `track` made: changes are found by polls again."""
    settings = current_settings()
    statements = run_async(lambda: _untrack(settings, name, dry_run=dry_run))
    if dry_run:
        _print(statements)
    else:
        out().print(f"{name}: its triggers are gone" if statements else f"{name}: nothing to do: it has no triggers")


async def outdated_triggers(settings: "Settings", file: "CollectionsFile") -> list[str]:
    """A line for each collection whose triggers are not those of its table as applied, with the command that mends it."""
    from embedding_assets.pipeline.table_tracking import is_current  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above
    from embedding_assets.store import collections  # noqa: PLC0415 - as above

    lines: list[str] = []
    async with open_database(settings) as db:
        for name in file.collections:
            async with db.transaction() as tx:
                found = await collections.find(tx, name)
            if found is None:
                continue
            tracked = _table_of(name, found.id, found.source)
            if not await is_current(db, found.id, tracked):
                verb = "track" if tracked else "untrack"
                lines.append(
                    f"{name}: its triggers tell of another table or other columns: embedding-assets collections {verb} {name}"
                )
    return lines


async def _track(settings: "Settings", name: str, *, dry_run: bool) -> tuple[str, list[str]]:
    from embedding_assets.pipeline import table_tracking  # noqa: PLC0415 - as above
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above
    from embedding_assets.store.change_triggers import NotTrackable  # noqa: PLC0415 - as above

    async with open_database(settings) as db:
        collection_id, source = await _applied(db, name)
        tracked = _table_of(name, collection_id, source)
        if tracked is None:
            raise NotTrackable(
                f"collection {name!r} has no table in our own database for its source (type postgres-table, without url_env): "
                f"its application can call embedding_assets.enqueue('{name}', …) instead"
            )
        return tracked.columns.name, await table_tracking.track(db, tracked, dry_run=dry_run)


async def _untrack(settings: "Settings", name: str, *, dry_run: bool) -> list[str]:
    from embedding_assets.pipeline import table_tracking  # noqa: PLC0415 - as above
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above

    async with open_database(settings) as db:
        collection_id, _ = await _applied(db, name)
        return await table_tracking.untrack(db, collection_id, dry_run=dry_run)


async def _applied(db: "Database", name: str) -> "tuple[int, Mapping[str, object]]":
    """Its id and its source, as applied.

    Raises:
        NotApplied: it is not in the database.
    """
    from embedding_assets.agreement import NotApplied  # noqa: PLC0415 - as above
    from embedding_assets.store import collections  # noqa: PLC0415 - as above

    async with db.transaction() as tx:
        found = await collections.find(tx, name)
    if found is None:
        raise NotApplied(
            f"collection {name!r} is not in the database: embedding-assets collections apply writes it there"
        )
    return found.id, found.source


def _table_of(name: str, collection_id: int, source: "Mapping[str, object]") -> "TrackedTable | None":
    from embedding_assets.sources import own_table  # noqa: PLC0415 - as above
    from embedding_assets.store.change_triggers import TrackedTable  # noqa: PLC0415 - as above

    columns = own_table(source)
    return TrackedTable(name, collection_id, columns) if columns else None


def _print(statements: list[str]) -> None:
    """As psql takes it."""
    for statement in statements:
        typer.echo(f"{statement.strip()};\n")
