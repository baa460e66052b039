"""The command `chunk`: what a strategy makes of a file, before anything is embedded. Needs no database."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import counted, one_line, out, print_json, visible_lines
from embedding_assets.cli.session import current_settings
from embedding_assets.domain.failures import EmbeddingAssetsError

if TYPE_CHECKING:
    from embedding_assets.domain.chunking import Chunk, ChunkingStrategy

_HEADINGS_WIDTH = 100


class NotPreviewable(EmbeddingAssetsError):
    """The file cannot be read, or the collection is not in the file; the message says which."""


@examples("embedding-assets chunk README.md", "embedding-assets chunk guide.md --strategy markdown --size 400 --json")
def chunk(
    file: Annotated[Path, typer.Argument(help="A text file; its extension decides how it is read.")],
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Begin with this collection's chunking.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="recursive, markdown, sentence, code or whole; the default is recursive.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="The longest chunk.")] = None,
    overlap: Annotated[int | None, typer.Option(help="How far a chunk may begin before the last one ended.")] = None,
    unit: Annotated[str | None, typer.Option(help="Of both: characters or tokens.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the chunks a strategy makes of a file. Nothing is stored or sent."""
    from embedding_assets.domain.chunking import chunk_text  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.domain.packing import estimate_tokens  # noqa: PLC0415 - as above

    chosen = _changed(_strategy(collection), strategy, size, overlap, unit)
    chunks = chunk_text(chosen, _text(file))
    if as_json:
        print_json([_facts(one, estimate_tokens(one.content)) for one in chunks])
        return
    for one in chunks:
        _print(one, estimate_tokens(one.content))
    sizes = f"{chosen.size:,} {chosen.unit}, overlap {chosen.overlap:,}"
    out().print(f"{counted(len(chunks), 'chunk')} by {chosen.name}" + ("" if chosen.name == "whole" else f", {sizes}"))


def _strategy(collection: str | None) -> "ChunkingStrategy":
    from embedding_assets.domain.chunking import ChunkingStrategy  # noqa: PLC0415 - as above
    from embedding_assets.runtime import collections_file  # noqa: PLC0415 - as above

    if collection is None:
        return ChunkingStrategy()
    entry = collections_file(current_settings()).collections.get(collection)
    if entry is None:
        raise NotPreviewable(f"the collections file has no collection {collection!r}")
    return entry.chunking_strategy()


def _changed(
    strategy: "ChunkingStrategy", name: str | None, size: int | None, overlap: int | None, unit: str | None
) -> "ChunkingStrategy":
    given = {"name": name, "size": size, "overlap": overlap, "unit": unit}
    changes = {key: value for key, value in given.items() if value is not None}
    # A smaller size than the default overlap is no mistake of whoever named the size alone.
    if size is not None and overlap is None:
        changes["overlap"] = min(strategy.overlap, max(size - 1, 0))
    return replace(strategy, **changes)


def _text(file: Path) -> str:
    from embedding_assets.providers.sources.text_extraction import extract_text  # noqa: PLC0415 - as above

    try:
        return extract_text(file.name, file.read_bytes(), "utf-8").content
    except OSError as error:
        raise NotPreviewable(f"{file}: {error.strerror}") from error


def _print(one: "Chunk", tokens: int) -> None:
    under = one_line(" > ".join(one.headings), _HEADINGS_WIDTH)
    place = f"chunk {one.ordinal}, characters {one.start:,}-{one.end:,}, at most {counted(tokens, 'token')}"
    out().print(place + (f", under {under}" if under else ""), style="bold")
    out().print("  " + visible_lines(one.content, indent=2))
    out().print()


def _facts(one: "Chunk", tokens: int) -> dict[str, object]:
    place = {"ordinal": one.ordinal, "start": one.start, "end": one.end, "tokens": tokens}
    return {**place, "headings": list(one.headings), "content": one.content}
