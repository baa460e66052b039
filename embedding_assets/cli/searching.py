"""The command `search`: the nearest published chunks to a question, and where each comes from."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, cast

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import counted, note, one_line, out, print_json, visible
from embedding_assets.cli.session import current_settings, run_async, run_name
from embedding_assets.domain.failures import EmbeddingAssetsError

if TYPE_CHECKING:
    from rich.console import Console

    from embedding_assets.settings import Settings
    from embedding_assets.store.search import SearchResult

_SNIPPET = 160
_HEADINGS_WIDTH = 80


class WhichCollection(EmbeddingAssetsError):
    """There are several collections, or none, and none was named."""


@examples(
    "embedding-assets search 'compress a file'",
    "embedding-assets search 'parse dates' -c docs -k 3 --filter '{\"package\": \"email\"}'",
)
def search(
    query: Annotated[str, typer.Argument(help="What you look for, in words.")],
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Where; needed when there are several.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many answers.")] = 5,
    filter_json: Annotated[
        str | None, typer.Option("--filter", metavar="JSON", help="Metadata a document must contain.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find the published chunks nearest to a question."""
    metadata = _metadata(filter_json)
    settings = current_settings()
    name = collection or only_collection(settings)
    results = run_async(lambda: find(settings, name, [query], k, metadata))[0]
    if as_json:
        print_json([facts(result) for result in results])
        return
    for place, result in enumerate(results, 1):
        print_result(out(), place, result)
    if not results:
        note(f"nothing of collection {name} matches: embedding-assets status shows what is published")


async def find(
    settings: "Settings", collection: str, queries: Sequence[str], k: int, metadata: Mapping[str, object]
) -> list[list["SearchResult"]]:
    """The answers to each query; raises as `search_text` does."""
    from embedding_assets.pipeline.search import search_text  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.runtime import open_workbench  # noqa: PLC0415 - as above

    async with open_workbench(settings, collection, run_id=run_name()) as bench:
        return [await search_text(bench, query, k=k, filter=metadata) for query in queries]


def only_collection(settings: "Settings", how: str = " with -c") -> str:
    """The one collection of the file; `how` another one would be named.

    Raises:
        WhichCollection: there is not exactly one.
    """
    from embedding_assets.runtime import collections_file  # noqa: PLC0415 - as above

    names = list(collections_file(settings).collections)
    if len(names) != 1:
        raise WhichCollection(f"name a collection{how}: there are {', '.join(names) or 'none'}")
    return names[0]


def print_result(console: "Console", place: int, result: "SearchResult") -> None:
    """Two or three lines: score and place, then the beginning of the text."""
    from rich.text import Text  # noqa: PLC0415 - as above

    key, title = visible(result.document_key), one_line(result.title, 80)
    # Many titles begin with the key, as a module's documentation does.
    named = title if title.startswith(key) else f"{key}  {title}"
    head = Text.assemble((f"{place}. {result.score:.3f}  ", "cyan"), (named, "bold"))
    under = one_line(" > ".join(result.headings), _HEADINGS_WIDTH)
    span = f"  chunk {result.ordinal}, characters {result.start_char:,}-{result.end_char:,}"
    head.append(span + (f", under {under}" if under else ""), "dim")
    others = f"  + {counted(len(result.locations), 'other place')}" if result.locations else ""
    console.print(head)
    console.print(f"   {one_line(result.content, min(_SNIPPET, console.width - len('   ')))}")
    console.print(f"   {visible(result.uri)}{others}", style="dim")


def facts(result: "SearchResult") -> Mapping[str, object]:
    """A result for a program, with its whole text."""
    names = (
        "score",
        "document_key",
        "title",
        "uri",
        "version",
        "ordinal",
        "start_char",
        "end_char",
        "content",
        "metadata",
        "headings",
    )
    return {name: getattr(result, name) for name in names} | {"locations": list(result.locations)}


def _metadata(text: str | None) -> Mapping[str, object]:
    if text is None:
        return {}
    try:
        value: object = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"--filter is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise typer.BadParameter('--filter must be a JSON object, such as \'{"package": "email"}\'')
    return cast("Mapping[str, object]", value)
