"""The commands `collections pause`, `resume` and `remove`: what is said to the database at once, without the file."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.collections import UnknownCollection
from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import counted, out, print_json
from embedding_assets.cli.session import current_settings, run_async
from embedding_assets.domain.failures import EmbeddingAssetsError

if TYPE_CHECKING:
    from embedding_assets.settings import Settings
    from embedding_assets.store.collection_removal import CollectionCounts
    from embedding_assets.store.collections import AppliedCollection

_MIB = 1 << 20

Name = Annotated[str, typer.Argument(help="The collection.")]


class StillPaused(EmbeddingAssetsError):
    """The file pauses it too."""


class NotRemoved(EmbeddingAssetsError):
    """The collection is still in the file, or --yes is missing; nothing was removed."""


@examples("embedding-assets collections pause docs")
def pause(name: Name) -> None:
    """Have Dagster start nothing for a collection, from now on and until it is resumed."""
    settings = current_settings()
    run_async(lambda: _set_paused(settings, name, paused=True))
    out().print(
        f"{name} is paused: Dagster starts nothing for it until `embedding-assets collections resume {name}`, whatever the "
        "file says and however often it is applied"
    )
    out().print(
        "a run in progress goes on to its end, and so does search; changes wait in the queue, and the promise to publish "
        "them in time goes on"
    )


@examples("embedding-assets collections resume docs")
def resume(name: Name) -> None:
    """Take back `collections pause`. A collection that its file pauses stays paused. Exit code 1: it does."""
    settings = current_settings()
    found = run_async(lambda: _set_paused(settings, name, paused=False))
    if found.paused:
        raise StillPaused(f"{name} is still paused by its file: set paused = false there and run collections apply")
    out().print(f"{name} goes on: Dagster polls and runs it with its next ticks")


@examples("embedding-assets collections remove docs", "embedding-assets collections remove docs --yes")
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, delete all of it; there is no way back.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Delete a collection that is no longer in the file, with everything that is its own. Without --yes: show what that is."""
    settings = current_settings()
    only_left = _in_file(settings, name)
    counts = run_async(lambda: _what_there_is(settings, name, only_left=only_left))
    if counts is None and only_left:
        raise NotRemoved(
            f"{name} is in {settings.collections_file}: take its tables out there first, and out of the file of every other "
            "process, or the next `collections apply` makes it anew"
        )
    if counts is None:
        raise UnknownCollection(f"there is no collection {name!r}: embedding-assets collections list shows them")
    if as_json:
        print_json({"collection": name, "removed": yes, **asdict(counts)})
    else:
        which = f"{name} (what an interrupted removal left)" if only_left else name
        out().print(f"{which}: {_said(counts)}")
    if not yes:
        raise NotRemoved("nothing was removed: add --yes to delete all of it, for ever")
    run_async(lambda: _remove(settings, name, only_left=only_left))
    if not as_json:
        out().print(f"removed {name}; what was counted and spent under its name stays, as history")


def _said(counts: "CollectionCounts") -> str:
    vectors = f"vectors under {counted(counts.models, 'model')} ({counts.size / _MIB:,.1f} MiB)"
    failed = f"{counted(counts.failed_documents, 'failed document')} with {counted(counts.failed_attempts, 'attempt')}"
    documents = f"{counted(counts.documents, 'document')}, {counted(counts.chunks, 'chunk')}"
    return f"{documents}, {vectors}, {counts.queued:,} in the queue, {failed}"


def _in_file(settings: "Settings", name: str) -> bool:
    from embedding_assets.collections_file import names_in  # noqa: PLC0415 - heavy imports wait for their command

    return name in names_in(settings.collections_file)


async def _set_paused(settings: "Settings", name: str, *, paused: bool) -> "AppliedCollection":
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above
    from embedding_assets.store import collections  # noqa: PLC0415 - as above

    async with open_database(settings) as db, db.transaction() as tx:
        found = await collections.find(tx, name)
        if found is None:
            raise UnknownCollection(f"no collection {name!r} is applied: embedding-assets collections list shows them")
        await (collections.pause if paused else collections.resume)(tx, name)
        return found


async def _what_there_is(settings: "Settings", name: str, *, only_left: bool) -> "CollectionCounts | None":
    from embedding_assets.pipeline.removing import what_there_is  # noqa: PLC0415 - as above
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above

    async with open_database(settings) as db:
        return await what_there_is(db, name, only_left=only_left)


async def _remove(settings: "Settings", name: str, *, only_left: bool) -> None:
    from embedding_assets.pipeline.removing import remove_collection  # noqa: PLC0415 - as above
    from embedding_assets.pipeline.table_tracking import untrack  # noqa: PLC0415 - as above
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above
    from embedding_assets.store import collections  # noqa: PLC0415 - as above

    async with open_database(settings) as db:
        async with db.transaction() as tx:
            found = None if only_left else await collections.find(tx, name)
        if found is not None:
            await untrack(db, found.id)
        await remove_collection(db, name, only_left=only_left)
