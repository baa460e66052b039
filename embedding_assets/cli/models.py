"""The commands `models list` and `models retire`: what collections keep of each model, and dropping an old one."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import counted, out, print_json, table, visible
from embedding_assets.cli.session import current_settings, run_async

if TYPE_CHECKING:
    from embedding_assets.settings import Settings
    from embedding_assets.store.kept_models import KeptModel

_MIB = 1 << 20

app = typer.Typer(
    help="Models: list what is kept of each, drop one that is no longer used.\n\n\b\nExample:\n  embedding-assets models list",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(name="list")
@examples("embedding-assets models list")
def list_(
    collections: Annotated[
        list[str] | None, typer.Argument(help="Collections; all of the database without any.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models that each collection keeps vectors of: active, being built, or kept for going back."""
    settings = current_settings()
    found = run_async(lambda: _kept(settings, collections))
    if as_json:
        print_json([asdict(model) for model in found])
        return
    columns = {
        "collection": "left", "id": "right", "model": "left", "dimensions": "right", "state": "left",
        "documents": "right", "MiB": "right",
    }  # fmt: skip
    out().print(table(columns, [_row(model) for model in found]))


@app.command()
@examples("embedding-assets models retire docs 1")
def retire(
    collection: Annotated[str, typer.Argument(help="The collection.")],
    model_id: Annotated[int, typer.Argument(metavar="ID", help="The model, as `models list` numbers it.")],
) -> None:
    """Drop what a collection keeps of a model that is neither active nor being built. There is no way back to it then."""
    settings = current_settings()
    documents = run_async(lambda: _retire(settings, collection, model_id))
    out().print(f"{collection}: model {model_id} is dropped, with {counted(documents, 'document')} published under it")


async def _kept(settings: "Settings", names: "list[str] | None") -> "list[KeptModel]":
    from embedding_assets.pipeline.retiring import list_models  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above

    async with open_database(settings) as db:
        return await list_models(db, names)


async def _retire(settings: "Settings", collection: str, model_id: int) -> int:
    from embedding_assets.pipeline.retiring import retire_model  # noqa: PLC0415 - as above
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above

    async with open_database(settings) as db:
        return await retire_model(db, collection, model_id)


def _row(model: "KeptModel") -> tuple[object, ...]:
    return (
        model.collection,
        model.model_id,
        visible(model.name),
        model.dimensions,
        model.state,
        f"{model.documents:,}",
        f"{model.size / _MIB:,.1f}",
    )
