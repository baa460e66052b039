"""The demo's own collections file, HOME/demo.toml: one collection for each corpus ever shown, written and read back.

A corpus never takes another's collection: changing the folder between two demos must not look like a mass deletion.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from embedding_assets.cli.toml_writing import toml_value

if TYPE_CHECKING:
    from embedding_assets.collections_file import CollectionEntry, CollectionsFile

STDLIB = "docs"
# Together with "folder_" and a digest it stays within the 41 characters a collection's name may have.
_SLUG = 26


def add_corpus(path: Path, corpus: Path | None) -> str:
    """Make sure the file has a collection of this folder (None: Python's documentation); its name.

    Raises:
        CollectionsFileError: the file is there and wrong.
    """
    from embedding_assets.collections_file import (  # noqa: PLC0415 - pydantic waits for its command
        default_collections,
        load_collections_file,
    )

    entries: dict[str, CollectionEntry] = dict(load_collections_file(path).collections) if path.exists() else {}
    entry = default_collections(str(corpus.resolve()) if corpus else None).collections["docs"]
    name = _name(entries, entry, corpus)
    if name not in entries:
        entries[name] = entry
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(_toml(entries)), encoding="utf-8")
    return name


def file_of(path: Path) -> "CollectionsFile":
    """The file as read."""
    from embedding_assets.collections_file import load_collections_file  # noqa: PLC0415 - as above

    return load_collections_file(path)


def _name(entries: "Mapping[str, CollectionEntry]", entry: "CollectionEntry", corpus: Path | None) -> str:
    if corpus is None:
        return STDLIB
    folder = corpus.resolve()
    slug = re.sub(r"[^a-z0-9]+", "_", folder.name.lower()).strip("_")[:_SLUG] or "root"
    plain = f"folder_{slug}"
    taken = entries.get(plain)
    if taken is None or dict(taken.source) == dict(entry.source):
        return plain
    return f"{plain}_{hashlib.sha256(bytes(folder)).hexdigest()[:6]}"


def _toml(entries: "Mapping[str, CollectionEntry]") -> Iterator[str]:
    yield "# Written by `embedding-assets demo`; one collection for each corpus.\n"
    for name, entry in entries.items():
        yield from _table(f"collections.{name}", entry.model_dump(exclude_defaults=True))


def _table(heading: str, values: Mapping[str, object]) -> Iterator[str]:
    yield f"\n[{heading}]\n"
    tables: list[tuple[str, Mapping[str, object]]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            tables.append((key, cast("Mapping[str, object]", value)))
        else:
            yield f"{key} = {toml_value(value)}\n"
    for key, table in tables:
        yield from _table(f"{heading}.{key}", table)
