"""From a collection's `source` table to a source: the built-in types, and those that others register.

Another distribution adds a type by an entry point in the group `embedding_assets.sources`: its name is the type, its
object is called with the whole table and returns a `Source`. Not here: what a source does.
"""

import os
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from embedding_assets.domain.ports import Source
from embedding_assets.providers.sources.bucket import build_bucket
from embedding_assets.providers.sources.configuration import check_keys, globs_of, of_type
from embedding_assets.providers.sources.directory import DirectorySource
from embedding_assets.providers.sources.postgres_table import TableOpener, build_table
from embedding_assets.providers.sources.stdlib_docs import StdlibDocsSource

ENTRY_POINT_GROUP = "embedding_assets.sources"


def build_source(config: Mapping[str, object], *, open_table: TableOpener | None = None) -> Source:
    """The source that `config` describes, for example `{"type": "directory", "path": "docs", "include": ["**/*.md"]}`.

    Nothing is read or connected to yet. `open_table` gives the tables of other people's databases.

    Raises:
        ValueError: an unknown type or key, or a value that cannot be used; the text says which, and what is allowed.
    """
    source_type = config.get("type")
    if not isinstance(source_type, str):
        msg = f"source: type = {source_type!r} must be one of {_known_types()}"
        raise ValueError(msg)  # noqa: TRY004  # a wrong value in a file, not a wrong call
    if source_type == _TABLE and open_table is not None:
        return build_table(config, open_table)
    build = _BUILT_IN.get(source_type)
    return build(config) if build is not None else _build_registered(source_type, config)


def _build_directory(config: Mapping[str, object]) -> Source:
    check_keys(config, ("path", "include", "exclude", "max_bytes", "encoding"))
    path = config.get("path")
    if not isinstance(path, str) or not path.strip() or "://" in path:
        given = "path is missing: it" if path is None else f"path = {path!r}"
        msg = f"source: {given} must name a local folder, such as 'docs'"
        raise ValueError(msg)
    options: dict[str, Any] = {key: globs_of(config, key) for key in ("include", "exclude") if key in config}
    options |= {
        key: of_type(config, key, kind) for key, kind in (("max_bytes", int), ("encoding", str)) if key in config
    }
    try:
        return DirectorySource(os.path.expanduser(path), **options)
    except ValueError as error:
        msg = f"source of type 'directory': {error}"
        raise ValueError(msg) from None


def _build_stdlib_docs(config: Mapping[str, object]) -> Source:
    check_keys(config, ("modules",))
    return StdlibDocsSource(globs_of(config, "modules")) if "modules" in config else StdlibDocsSource()


_TABLE: Final = "postgres-table"
_BUILT_IN: dict[str, Callable[[Mapping[str, object]], Source]] = {
    "bucket": build_bucket,
    "directory": _build_directory,
    "python-stdlib": _build_stdlib_docs,
}


def _build_registered(source_type: str, config: Mapping[str, object]) -> Source:
    found = [point for point in entry_points(group=ENTRY_POINT_GROUP) if point.name == source_type]
    if len(found) != 1:
        several = f", but several packages register it ({', '.join(point.value for point in found)})" if found else ""
        msg = f"source: type = {source_type!r} must be one of {_known_types()}{several}"
        raise ValueError(msg)
    source: object = _load(found[0])(config)
    for methods in (("list_documents", "fetch"), ("next_cursor", "changes_since")):
        there = [callable(getattr(source, method, None)) for method in methods]
        if not all(there) and (any(there) or "fetch" in methods):
            msg = f"source: type = {source_type!r} built a {type(source).__name__} without {' and '.join(methods)}"
            raise ValueError(msg)
    return source  # pyright: ignore[reportReturnType]  # checked by hand above


def _load(point: EntryPoint) -> Callable[[Mapping[str, object]], object]:
    try:
        loaded: Any = point.load()
    except (ImportError, AttributeError) as error:
        msg = f"source: type = {point.name!r} is registered as {point.value!r}, which cannot be loaded: {error}"
        raise ValueError(msg) from error
    return loaded


def _known_types() -> str:
    registered = {point.name for point in entry_points(group=ENTRY_POINT_GROUP)}
    return ", ".join(repr(name) for name in sorted({*_BUILT_IN, _TABLE, *registered}))
