"""The commands `collections apply`, `list` and `show`: from the file an operator edits to the database, and back."""

from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import counted, out, print_json, table, visible
from embedding_assets.cli.session import current_settings, run_async
from embedding_assets.domain.failures import EmbeddingAssetsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedding_assets.collections_file import CollectionsFile
    from embedding_assets.settings import Settings
    from embedding_assets.store.collections import AppliedCollection

app = typer.Typer(
    help="Collections: apply the file, list them, show one.\n\n\b\nExample:\n  embedding-assets collections apply",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class UnknownCollection(EmbeddingAssetsError):
    """Neither the file nor the database has it."""


@app.command()
@examples("embedding-assets collections apply")
def apply() -> None:
    """Write the collections of the file to the database. Nothing is embedded or deleted by it."""
    from embedding_assets.runtime import (  # noqa: PLC0415 - heavy imports wait for their command
        apply_collections,
        collections_file,
    )

    settings = current_settings()
    names = run_async(lambda: apply_collections(settings, collections_file(settings)))
    out().print(f"applied {counted(len(names), 'collection')}: {', '.join(names)}")


@app.command(name="list")
@examples("embedding-assets collections list")
def list_() -> None:
    """List collections, with whether file and database agree."""
    file, applied = _both()
    columns = {"collection": "left", "source": "left", "model": "left", "chunking": "left", "state": "left"}
    out().print(table(columns, [_row(name, file, applied) for name in sorted({*file.collections, *applied})]))


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
        return "only in the database"
    in_file = (entry.chunking_strategy().fingerprint, entry.embedding_model().fingerprint)
    more = (entry.owner, entry.source, entry.limit, entry.paused)
    if (in_file, more) != (
        (found.chunker_fingerprint, found.model_fingerprint),
        (found.owner, found.source, found.limit_name, found.paused),
    ):
        return "differs from the database: embedding-assets collections apply"
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
        "tracked_since",
        "last_poll_at",
    )
    model = {"name": found.model.name, "dimensions": found.model.dimensions, "distance": found.model.distance.value}
    return {name: getattr(found, name) for name in names} | {
        "model": model,
        "model_fingerprint": found.model_fingerprint,
    }
