"""The command `chunk`: what a strategy and a template make of a file, before anything is embedded. Needs no database."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import counted, one_line, out, print_block, print_json
from embedding_assets.cli.session import current_settings
from embedding_assets.domain.failures import EmbeddingAssetsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedding_assets.domain.chunking import Chunk, ChunkingStrategy
    from embedding_assets.domain.models import EmbeddingModel

_HEADINGS_WIDTH = 100


class NotPreviewable(EmbeddingAssetsError):
    """The file cannot be read, the template is wrong, or the collection is not in the file; the message says which."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a file is cut by and made into inputs under, and how its bytes are read."""

    strategy: "ChunkingStrategy"
    model: "EmbeddingModel"
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class Previewed:
    """A chunk, how many characters it repeats of the one before, and the input made of it."""

    chunk: "Chunk"
    repeated: int
    input: str


@examples(
    "embedding-assets chunk --preview README.md",
    "embedding-assets chunk guide.md --strategy markdown --size 400 --template '{title}: {headings}: {content}'",
    "embedding-assets chunk guide.md -c docs --json",
)
def chunk(
    file: Annotated[Path, typer.Argument(help="A text file; its extension decides how it is read.")],
    *,
    preview: Annotated[
        bool, typer.Option("--preview", show_default=False, help="Only show; the command does nothing else.")
    ] = True,
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Begin with this collection's chunking and template.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="recursive, markdown, sentence, code or whole; the default is recursive.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="The longest chunk.")] = None,
    overlap: Annotated[int | None, typer.Option(help="How far a chunk may begin before the last one ended.")] = None,
    unit: Annotated[str | None, typer.Option(help="Of both: characters or tokens.")] = None,
    template: Annotated[
        str | None, typer.Option(help="The input, of {title}, {headings} and {content}; the default is {content}.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the chunks a strategy makes of a file, and the inputs a template makes of them. Nothing is stored or sent."""
    settings = _with_template(_settings(collection), template)
    chosen = _changed(settings.strategy, strategy, size, overlap, unit)
    found = _previewed(replace(settings, strategy=chosen), file)
    if as_json:
        print_json([_facts(one) for one in found])
        return
    for one in found:
        _print(one)
    out().print(_summary(chosen, found))


def _settings(collection: str | None) -> Settings:
    from embedding_assets.domain.chunking import ChunkingStrategy  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.domain.models import EmbeddingModel  # noqa: PLC0415 - as above
    from embedding_assets.runtime import collections_file  # noqa: PLC0415 - as above

    if collection is None:
        return Settings(ChunkingStrategy(), EmbeddingModel("none", 1))
    entry = collections_file(current_settings()).collections.get(collection)
    if entry is None:
        raise NotPreviewable(f"the collections file has no collection {collection!r}")
    encoding = str(entry.source.get("encoding", "utf-8"))
    return Settings(entry.chunking_strategy(), entry.embedding_model(), encoding)


def _with_template(settings: Settings, template: str | None) -> Settings:
    from embedding_assets.domain.models import template_mistake  # noqa: PLC0415 - as above

    if template is None:
        return settings
    if mistake := template_mistake(template):
        raise NotPreviewable(f"--template is {template!r}; allowed: {mistake}")
    return replace(settings, model=replace(settings.model, input_template=template))


def _changed(
    strategy: "ChunkingStrategy", name: str | None, size: int | None, overlap: int | None, unit: str | None
) -> "ChunkingStrategy":
    given = {"name": name, "size": size, "overlap": overlap, "unit": unit}
    changes = {key: value for key, value in given.items() if value is not None}
    # A smaller size than the default overlap is no mistake of whoever named the size alone.
    if size is not None and overlap is None:
        changes["overlap"] = min(strategy.overlap, max(size // 8, 0))
    return replace(strategy, **changes)


def _previewed(settings: Settings, file: Path) -> "list[Previewed]":
    from embedding_assets.domain.chunking import chunk_text  # noqa: PLC0415 - as above
    from embedding_assets.providers.sources.text_extraction import extract_text  # noqa: PLC0415 - as above

    try:
        text = extract_text(file.name, file.read_bytes(), settings.encoding)
    except OSError as error:
        raise NotPreviewable(f"{file}: {error.strerror}") from error
    found: list[Previewed] = []
    before = 0
    for one in chunk_text(settings.strategy, text.content):
        made = settings.model.input_for(one.content, text.title, one.headings)
        found.append(Previewed(one, max(before - one.start, 0), made))
        before = one.end
    return found


def _print(one: Previewed) -> None:
    cut = one.chunk
    under = one_line(" > ".join(cut.headings), _HEADINGS_WIDTH)
    place = f"chunk {cut.ordinal}, characters {cut.start:,}-{cut.end:,}: {_sizes(cut.content)}"
    repeated = f", {one.repeated:,} of them repeated" if one.repeated else ""
    out().print(place + repeated + (f", under {under}" if under else ""), style="bold")
    if one.input != cut.content:
        out().print(f"  as input: {_sizes(one.input)}", style="dim")
    print_block(one.input, indent=2)
    out().print()


def _sizes(text: str) -> str:
    from embedding_assets.domain.packing import estimate_tokens  # noqa: PLC0415 - as above

    return f"{counted(len(text), 'character')}, at most {counted(estimate_tokens(text), 'token')}"


def _summary(strategy: "ChunkingStrategy", found: "Sequence[Previewed]") -> str:
    cut = "" if strategy.name == "whole" else f", {strategy.size:,} {strategy.unit}, overlap {strategy.overlap:,}"
    longest = max((one.input for one in found), key=len, default="")
    return f"{counted(len(found), 'chunk')} by {strategy.name}{cut}" + (
        f"; longest input: {_sizes(longest)}" if found else ""
    )


def _facts(one: Previewed) -> dict[str, object]:
    from embedding_assets.domain.packing import estimate_tokens  # noqa: PLC0415 - as above

    cut = one.chunk
    return {
        "ordinal": cut.ordinal,
        "start": cut.start,
        "end": cut.end,
        "repeated": one.repeated,
        "tokens": estimate_tokens(cut.content),
        "headings": list(cut.headings),
        "content": cut.content,
        "input": one.input,
        "input_tokens": estimate_tokens(one.input),
    }
