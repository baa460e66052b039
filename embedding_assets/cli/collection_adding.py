"""The command `collections add`: a table more at the end of the collections file, and nothing of what stands there changed."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import note, out
from embedding_assets.cli.toml_writing import read_exactly, replace_file, toml_value
from embedding_assets.domain.failures import EmbeddingAssetsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_COLUMN = 37
_KEY = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_LOCAL = ("local/wordllama-256", 256)


class NotAdded(EmbeddingAssetsError):
    """The file has a collection of that name already, or an option is missing; nothing was written."""


@examples(
    "embedding-assets collections add handbook --path /srv/handbook --model openai/text-embedding-3-small --dimensions 1536",
    "embedding-assets collections add guides --path /srv/guides --model local/wordllama-256 --set chunking.strategy=markdown",
)
def add(
    name: Annotated[str, typer.Argument(help="Its name: a lower-case letter, then up to 40 of a-z, 0-9 and _.")],
    *,
    model: Annotated[str, typer.Option(help="The embedding model, as LiteLLM names it.")],
    dimensions: Annotated[int | None, typer.Option(help="Length of its vectors; local/wordllama-256 has 256.")] = None,
    source: Annotated[str, typer.Option(help="The source's type.")] = "directory",
    path: Annotated[str | None, typer.Option(help="The source's folder.")] = None,
    limit: Annotated[str | None, typer.Option(help="A limit of the file that it draws on.")] = None,
    owner: Annotated[str | None, typer.Option(help="Who is told when its documents fail.")] = None,
    more: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Any other key below its table, such as chunking.size=400; repeat it."
        ),
    ] = None,
) -> None:
    """Write a new collection at the end of the collections file. What stands there already is not touched."""
    from embedding_assets.settings import load_settings  # noqa: PLC0415 - heavy imports wait for their command

    if dimensions is None and model != _LOCAL[0]:
        raise NotAdded(f"name the length of the vectors of {model} with --dimensions")
    tables: _Tables = {
        "": {"owner": owner, "limit": limit},
        "source": {"type": source, "path": str(Path(path).expanduser().absolute()) if path else None},
        "chunking": {"strategy": None, "size": None, "overlap": None, "unit": None},
        "model": {
            "name": model,
            "dimensions": dimensions or _LOCAL[1],
            "input_template": None,
            "normalized": True if model == _LOCAL[0] else None,
        },
    }
    for one in more or []:
        _set(tables, one)
    file = load_settings().collections_file
    lines = [line for table, values in tables.items() for line in _table(f"collections.{name}", table, values)]
    _append(file, name, ["# Added by `embedding-assets collections add`.", *lines[1:]])
    out().print(f"added collection {name} to {file}; write it to the database: embedding-assets collections apply")
    out().print("then let Dagster read the file again: embedding-assets down and up, or Reload of the code location")


# Keys and values by the table they stand in, below the collection's own; None where it is left to its default.
_Tables: TypeAlias = "dict[str, dict[str, object]]"

# What each key means; with its default where it has one, so that it stands there as a comment to begin with.
_MEANINGS = {
    ".owner": ('""', "who is told when its documents fail"),
    ".limit": (None, "the [limits] table it draws on"),
    "source.type": (None, "where the documents are"),
    "chunking.strategy": ('"recursive"', "recursive, markdown, sentence, code or whole"),
    "chunking.size": ("800", "the longest chunk"),
    "chunking.overlap": ("100", "how far a chunk may begin before the last one ended"),
    "chunking.unit": ('"characters"', "of both: characters or tokens"),
    "model.name": (None, "as LiteLLM names it"),
    "model.dimensions": (None, "length of its vectors"),
    "model.input_template": ('"{content}"', "the text sent for a chunk, of {title}, {headings} and {content}"),
    "model.normalized": (None, "true: its vectors have length 1"),
}


def _set(tables: _Tables, given: str) -> None:
    """KEY=VALUE: a value that is TOML is taken as that, any other as a text."""
    key, equals, value = given.partition("=")
    if not equals or not _KEY.fullmatch(key):
        raise NotAdded(f"--set {given!r} is not KEY=VALUE, such as chunking.size=400")
    table, _, name = key.rpartition(".")
    try:
        read: object = tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        read = value
    tables.setdefault(table, {})[name] = read


def _table(collection: str, table: str, values: Mapping[str, object]) -> list[str]:
    lines = ["", f"[{collection}.{table}]" if table else f"[{collection}]"]
    for key, value in values.items():
        default, meaning = _MEANINGS.get(f"{table}.{key}", (None, ""))
        if value is None and default is None:
            continue
        text = f"# {key} = {default}" if value is None else f"{key} = {toml_value(value)}"
        lines.append(f"{text:<{_COLUMN - 1}} # {meaning}" if meaning else text)
    return lines


def _append(file: Path, name: str, lines: list[str]) -> None:
    from embedding_assets.collections_file import parse_collections  # noqa: PLC0415 - as above
    from embedding_assets.runtime import check_entry  # noqa: PLC0415 - as above
    from embedding_assets.settings import load_settings  # noqa: PLC0415 - as above

    before = read_exactly(file)
    if before is not None and name in _names(before):
        raise NotAdded(f"{file} has a collection {name!r} already: edit it there")
    ends = "\r\n" if before and "\r\n" in before else "\n"
    between = "" if not before else (ends if before.endswith("\n") else ends * 2)
    after = (before or "") + between + ends.join(lines) + ends
    check_entry(load_settings(), name, parse_collections(after, file=str(file)).collections[name])
    replace_file(file, before, after)
    if before is None:
        note(f"{file} is new: every key it can have is in collections.example.toml")


def _names(text: str) -> set[str]:
    try:
        return set(tomllib.loads(text).get("collections", {}))
    except tomllib.TOMLDecodeError:
        # The check of the whole says where.
        return set()
