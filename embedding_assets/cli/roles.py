"""The command `roles grant`: rights for a role that exists, as the owner gives them. Not here: which rights (store/roles)."""

from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import out, visible
from embedding_assets.cli.session import current_settings, run_async

if TYPE_CHECKING:
    from embedding_assets.settings import Settings

_KINDS = ("writer", "reader", "producer", "limit-consumer", "exporter")

app = typer.Typer(no_args_is_help=True)


@app.callback()
@examples("embedding-assets roles grant exporter metrics")
def roles() -> None:
    """What other roles of the database may do: writer, reader, producer, limit-consumer, exporter."""


@app.command()
@examples(
    "embedding-assets roles grant writer embedding_writer",
    "embedding-assets roles grant reader chat -c docs",
    "embedding-assets roles grant producer wiki --print",
)
def grant(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(_KINDS)}.")],
    role: Annotated[str, typer.Argument(help="A role that exists.")],
    collection: Annotated[str | None, typer.Option("-c", "--collection", help="What a reader may read.")] = None,
    only_print: Annotated[bool, typer.Option("--print", help="Print the SQL, and do nothing.")] = False,
) -> None:
    """Give a role its rights, as the owner of the schema; again after a migration or a change of model.

    A reader calls embedding_assets.search_in_COLLECTION(vector, k, filter) and reads chunks_of_COLLECTION, and nothing else.
    """
    if kind not in _KINDS:
        raise typer.BadParameter(f"one of {', '.join(_KINDS)}", param_hint="KIND")
    if (kind == "reader") != bool(collection):
        raise typer.BadParameter("a reader, and only a reader, has a collection: -c docs", param_hint="--collection")
    settings = current_settings()
    text = run_async(lambda: _grant(settings, kind, role, collection, only_print))
    out().print(text if only_print else f"{visible(role)} is {kind}" + (f" of {collection}" if collection else ""))


async def _grant(settings: "Settings", kind: str, role: str, collection: str | None, only_print: bool) -> str:
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.store import roles as store  # noqa: PLC0415 - as above

    async with open_database(settings) as db, db.transaction() as tx:
        statements = await store.grants(tx, store.RoleKind(kind), role, collection)
        if not only_print:
            await store.grant(tx, statements)
        return "\n".join(f"{statement.as_string(tx)};" for statement in statements)
