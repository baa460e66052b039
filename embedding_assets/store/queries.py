"""Loads the named queries of `sql/*.sql`. A query's name is the name of the function that runs it.

Values go in as psycopg parameters; only per-model table and index names are filled in, as identifiers.
"""

import re
from functools import cache
from importlib import resources
from typing import cast

from typing_extensions import LiteralString

_HEADER = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def load_queries(file: str) -> dict[str, LiteralString]:
    """The queries of `sql/<file>.sql` by name.

    Raises:
        ValueError: two queries of one name.
    """
    text = resources.files("embedding_assets.store").joinpath(f"sql/{file}.sql").read_text(encoding="utf-8")
    parts = _HEADER.split(text)[1:]
    names = parts[::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{file}.sql names a query twice")
    # The text comes with the package, never from a caller: as literal as a string in this file.
    return {name: cast("LiteralString", body.strip()) for name, body in zip(names, parts[1::2], strict=True)}


def all_queries() -> dict[str, LiteralString]:
    """Every named query as `file.name`, for the contract tests."""
    folder = resources.files("embedding_assets.store").joinpath("sql")
    files = sorted(entry.name.removesuffix(".sql") for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return {f"{file}.{name}": text for file in files for name, text in load_queries(file).items()}
