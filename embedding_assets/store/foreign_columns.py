"""The configured columns of a table as pieces of SQL: its key as one text, a signature, where a page goes on.

Not here: the queries they are filled into (foreign_tables).
"""

from collections.abc import Callable, Mapping, Sequence

from psycopg import sql
from typing_extensions import LiteralString

from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.domain.tables import TableColumns

# The text of any other type depends on the session that reads it, and a key must read the same everywhere.
_KEY_TYPES = frozenset(
    {"smallint", "integer", "bigint", "numeric", "uuid", "text", "character varying", "character", "name", "enum"}
)
_TIME_TYPES = frozenset({"timestamp with time zone", "timestamp without time zone"})
_TITLE_CHARACTERS, _URI_CHARACTERS = 300, 8000


def checked_types(columns: TableColumns, found: Mapping[str, tuple[LiteralString, str]]) -> list[LiteralString]:
    """The types of the key's columns; `found` has of each column of the table its type, and what that is underneath.

    Raises:
        SourceError: `root_unavailable`: the table, or one of the columns, is not there or of a type that cannot serve.
    """
    if not found:
        raise _unusable(f"there is no table {columns.name} that the role may see: correct `table`, or grant its schema")
    times = [name for name in (columns.updated_at, columns.deleted_at) if name]
    named = [*columns.key, *columns.content, *columns.metadata, *times]
    lacking = [name for name in [*named, columns.title, columns.uri] if name and name not in found]
    if lacking:
        has = ", ".join(sorted(found))
        raise _unusable(
            f"{columns.name} has no column {', '.join(lacking)}: correct the collections file; it has {has}"
        )
    for names, types, what in ((columns.key, _KEY_TYPES, "the key"), (times, _TIME_TYPES, "a time of change")):
        for name in names:
            if found[name][1] not in types:
                allowed = ", ".join(sorted(types))
                raise _unusable(f"{columns.name}.{name} is of type {found[name][1]}; {what} must be one of {allowed}")
    return [found[name][0] for name in columns.key]


def key_text(names: Sequence[str], row: str = "t") -> sql.Composable:
    """The document key of a row named `row`, as `domain.tables.joined_key` writes it; holds no per cent sign."""
    if len(names) == 1:
        return _text(row)(names[0])
    escaped = sql.SQL("replace(replace({}, chr(37), chr(37) || '25'), '/', chr(37) || '2F')")
    return sql.SQL(" || '/' || ").join(escaped.format(_text(row)(name)) for name in names)


def pieces(
    columns: TableColumns, types: Sequence[LiteralString], *, moved_at: str | None = None, first: bool = True
) -> dict[str, sql.Composable]:
    """What the queries have in braces. `moved_at` is the time they go by; `first`: no page came before this one."""
    text = _text("t")
    metadata = [sql.SQL("to_jsonb({})").format(_of("t", name)) for name in columns.metadata]
    content = [text(name) for name in columns.content]
    texts = [*content, *(sql.SQL("{}::text").format(value) for value in metadata)]
    key = _listed([_of("t", name) for name in columns.key])
    moved = sql.SQL("{}::timestamptz").format(_of("t", moved_at)) if moved_at else sql.SQL("now()")
    return {
        "table": sql.Identifier(columns.schema, columns.table),
        "key": key,
        "key_text": key_text(columns.key),
        "key_texts": _listed([text(name) for name in columns.key]),
        "values": _values(types),
        "content": _listed(content),
        "metadata": _listed(metadata),
        "texts": _listed(texts),
        "title": _short(columns.title, _TITLE_CHARACTERS),
        "uri": _short(columns.uri, _URI_CHARACTERS),
        "alive": sql.SQL("{} IS NULL").format(_of("t", columns.deleted_at)) if columns.deleted_at else sql.SQL("true"),
        "signature": _signature([*texts, *(text(name) for name in (columns.title, columns.uri) if name)]),
        "changed_at": _changed_at(columns),
        "moved_at": _of("t", moved_at) if moved_at else moved,
        "after": _after(key, types, moved_at=moved_at, first=first),
    }


def _after(key: sql.Composable, types: Sequence[LiteralString], *, moved_at: str | None, first: bool) -> sql.Composable:
    if first:
        return sql.SQL("true")
    if moved_at is None:
        return sql.SQL("({}) > ({})").format(key, _values(types))
    later = sql.SQL("({}, {}) > (%(moved_at)s::timestamptz, {})")
    return later.format(_of("t", moved_at), key, _values(types))


def _values(types: Sequence[LiteralString]) -> sql.Composable:
    """The key's columns out of the parameter `key`, an array of texts."""
    value = sql.SQL("(%(key)s::text[])[{}]::{}")
    return _listed([value.format(sql.Literal(place), sql.SQL(name)) for place, name in enumerate(types, start=1)])


def _signature(texts: Sequence[sql.Composable]) -> sql.Composable:
    """Of each text by itself: all of them in one piece may be more than PostgreSQL holds."""
    hashes = _listed([sql.SQL("coalesce(md5({}), '-')").format(text) for text in texts])
    return sql.SQL("md5(array_to_string(ARRAY[{}], '.'))").format(hashes)


def _changed_at(columns: TableColumns) -> sql.Composable:
    """When it was deleted, else updated; NULL for a time that is not within the years of a calendar."""
    times = [name for name in (columns.deleted_at, columns.updated_at) if name]
    if not times:
        return sql.SQL("NULL::timestamptz")
    within = sql.SQL(
        "CASE WHEN {0}::timestamptz BETWEEN '0001-01-02 UTC' AND '9999-12-30 UTC' THEN {0}::timestamptz END"
    )
    return sql.SQL("coalesce({})").format(_listed([within.format(_of("t", name)) for name in times]))


def _short(name: str | None, characters: int) -> sql.Composable:
    if name is None:
        return sql.SQL("NULL::text")
    return sql.SQL("left({}, {})").format(_text("t")(name), sql.Literal(characters))


def _text(row: str) -> Callable[[str], sql.Composable]:
    return lambda name: sql.SQL("{}::text").format(_of(row, name))


def _of(row: str, name: str) -> sql.Composable:
    return sql.Identifier(row, name)


def _listed(parts: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(", ").join(parts)


def _unusable(message: str) -> SourceError:
    return SourceError(ErrorType.ROOT_UNAVAILABLE, message)
