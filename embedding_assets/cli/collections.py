"""The commands `collections apply`, `list` and `show`: from the file an operator edits to the database, and back.

The others of `collections` are in collection_adding and collection_removing.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import counted, out, print_json, table, visible
from embedding_assets.cli.session import current_settings, run_async
from embedding_assets.cli.table_tracking import outdated_triggers
from embedding_assets.domain.failures import EmbeddingAssetsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedding_assets.collections_file import CollectionsFile
    from embedding_assets.domain.models import EmbeddingModel
    from embedding_assets.pipeline.switching import AppliedStep
    from embedding_assets.settings import Settings
    from embedding_assets.store.collections import AppliedCollection

app = typer.Typer(
    help="Add, apply, list, show, pause, resume and remove collections.\n\n\b\nExample:\n  embedding-assets collections apply",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class UnknownCollection(EmbeddingAssetsError):
    """Neither the file nor the database has it."""


@app.command()
@examples("embedding-assets collections apply")
def apply() -> None:
    """Write the collections of the file to the database.

    Nothing is embedded by it. Putting back a model cancels the build of another one, and drops what that one holds.
    """
    from embedding_assets.runtime import (  # noqa: PLC0415 - heavy imports wait for their command
        apply_collections,
        collections_file,
    )

    settings = current_settings()
    file = collections_file(settings)
    steps = run_async(lambda: apply_collections(settings, file))
    names = ", ".join(step.applied.name for step in steps)
    out().print(f"applied {counted(len(steps), 'collection')}: {names}")
    for step in steps:
        for line in _said(step):
            out().print(line)
    for line in run_async(lambda: outdated_triggers(settings, file)):
        out().print(line)


def _said(step: "AppliedStep") -> list[str]:
    """What a person should know of a collection that was applied, and the next command."""
    name, active = step.applied.name, step.applied.model
    lines: list[str] = []
    if step.dropped:
        dropped = step.dropped.model
        lines.append(f"{name}: the build of model {_named(dropped)} was cancelled, and what it held is dropped")
    if step.applied.building:
        built = step.applied.building.model
        lines.append(
            f"{name}: model {_named(built)} is to be built; search and runs go on under {_named(active)} until it holds "
            f"everything. What that costs: embedding-assets reembed {name}"
        )
    elif step.recut:
        lines.append(
            f"{name}: what is published was cut another way and stays searchable. What cutting it anew costs: "
            f"embedding-assets reembed {name}"
        )
    return lines


def _named(model: "EmbeddingModel") -> str:
    return f"{model.name} ({model.dimensions} dimensions)"


@app.command(name="list")
@examples("embedding-assets collections list")
def list_() -> None:
    """List collections, with whether file and database agree."""
    file, applied = _both()
    half_removed = run_async(lambda: _half_removed(current_settings()))
    columns = {"collection": "left", "source": "left", "model": "left", "chunking": "left", "state": "left"}
    out().print(table(columns, [_row(name, file, applied) for name in sorted({*file.collections, *applied})]))
    for name in half_removed:
        out().print(
            f"{name} is half removed: to finish it, embedding-assets collections remove {name} --yes", style="yellow"
        )


@app.command()
@examples("embedding-assets collections show docs")
def show(name: Annotated[str, typer.Argument(help="The collection.")]) -> None:
    """Show one collection as JSON: as applied, with the fingerprints that workers compare."""
    file, applied = _both()
    if name not in file.collections and name not in applied:
        raise UnknownCollection(f"there is no collection {name!r}; embedding-assets collections list shows them")
    print_json({"name": name, "state": _state(name, file, applied), "applied": _facts(applied.get(name))})


def _both() -> "tuple[CollectionsFile, dict[str, AppliedCollection]]":
    from embedding_assets.runtime import collections_file  # noqa: PLC0415 - as above

    settings = current_settings()
    return collections_file(settings), run_async(lambda: _applied(settings))


async def _applied(settings: "Settings") -> "dict[str, AppliedCollection]":
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above
    from embedding_assets.store import collections  # noqa: PLC0415 - as above

    async with open_database(settings) as db, db.transaction() as tx:
        found = [await collections.find(tx, name) for name in await collections.names(tx)]
        return {collection.name: collection for collection in found if collection is not None}


async def _half_removed(settings: "Settings") -> list[str]:
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above
    from embedding_assets.store import collection_removal  # noqa: PLC0415 - as above

    async with open_database(settings) as db, db.transaction() as tx:
        return await collection_removal.half_removed_names(tx)


def _row(name: str, file: "CollectionsFile", applied: "dict[str, AppliedCollection]") -> tuple[str, ...]:
    state = _state(name, file, applied)
    entry = file.collections.get(name)
    if entry is not None:
        strategy, model = entry.chunking_strategy(), entry.embedding_model()
        source, cut = entry.source, f"{strategy.name} {strategy.size}/{strategy.overlap}"
    else:
        source, model, chunking = applied[name].source, applied[name].model, applied[name].chunking
        sizes = f"{chunking.get('size')}/{chunking.get('overlap')} {chunking.get('unit', 'characters')}"
        cut = f"{chunking.get('strategy')} {sizes}"
    where = str(source.get("path") or source.get("type") or "")
    return name, visible(where), f"{model.name}, {model.dimensions}", cut, state


def _state(name: str, file: "CollectionsFile", applied: "dict[str, AppliedCollection]") -> str:
    entry, found = file.collections.get(name), applied.get(name)
    if found is None:
        return "not applied: embedding-assets collections apply"
    if entry is None:
        return f"only in the database: embedding-assets collections remove {name}"
    newest = found.building or found.active
    # The limit of a model that is being built is not in use yet.
    limit = entry.limit if found.building else found.limit_name
    in_file = (entry.chunking_strategy().fingerprint, entry.embedding_model().fingerprint)
    if in_file != (found.chunker_fingerprint, newest.fingerprint) or (
        (entry.owner, entry.source, entry.limit, entry.paused) != (found.owner, found.source, limit, found.paused)
    ):
        return "differs from the database: embedding-assets collections apply"
    if found.building:
        return f"another model is being built: embedding-assets reembed {name}"
    if found.paused_since:
        return f"paused by hand: embedding-assets collections resume {name}"
    return "paused" if found.paused else "applied"


def _facts(found: "AppliedCollection | None") -> "Mapping[str, object] | None":
    if found is None:
        return None
    names = (
        "owner",
        "source",
        "chunking",
        "chunker_fingerprint",
        "limit_name",
        "paused",
        "paused_since",
        "tracked_since",
        "last_poll_at",
    )
    return {name: getattr(found, name) for name in names} | {
        "model": _model_facts(found.model),
        "model_fingerprint": found.active.fingerprint,
        "building": _model_facts(found.building.model) if found.building else None,
    }


def _model_facts(model: "EmbeddingModel") -> "Mapping[str, object]":
    return {"name": model.name, "dimensions": model.dimensions, "distance": model.distance.value}
