"""Roles beside the owner: what each kind may do, given to a role that exists already; all of it may be given again.

The owner migrates and gives; it must be a member of the writer, whose tables of vectors it migrates and reads too. Not here: making
roles and their passwords, which is the server's administrator's.
"""

from collections.abc import Sequence
from enum import Enum

from psycopg import sql
from psycopg.sql import Composable, Composed, Identifier
from typing_extensions import LiteralString, assert_never

from embedding_assets.domain.failures import ErrorType, StoreError
from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries

_SQL = load_queries("roles")
_SCHEMA = "embedding_assets"
# Columns by name: a release may return more. Not among the named queries, because it becomes the text of a function.
_READER_SEARCH = sql.SQL(
    "SELECT score, document_key, version, ordinal, content, start_char, end_char, title, uri, metadata, locations "
    "FROM embedding_assets.search({}, $1, $2, $3, $4)"
)
# What documents say, and messages that may quote it.
_HIDDEN = [
    *(f"documents.{column}" for column in ("content", "title", "uri", "metadata")),
    *(f"chunks.{column}" for column in ("content", "headings")),
    "failed_documents.reason",
    "failed_attempts.message",
    "circuits.message",
]


class RoleKind(str, Enum):
    """What a role is for."""

    WRITER = "writer"
    READER = "reader"
    PRODUCER = "producer"
    LIMIT_CONSUMER = "limit-consumer"
    EXPORTER = "exporter"


async def grants(tx: Tx, kind: RoleKind, role: str, collection: str | None = None) -> list[Composed]:
    """The statements that make the existing role one of this kind, in this order; a reader reads one collection.

    Raises:
        StoreError: `database_refused`: no such role or collection, or the owner is no member of the writer.
    """
    await _check(tx, kind, role)
    whom = Identifier(role)
    everybody = _fill("everybody", role=whom)
    match kind:
        case RoleKind.WRITER:
            tables = await _vector_tables(tx)
            handed = [_fill("hand_over", embeddings=_named(table), role=whom) for table in tables]
            return [everybody, _fill("writer", role=whom), *handed]
        case RoleKind.READER:
            return [everybody, *await _reader(tx, whom, collection or "")]
        case RoleKind.PRODUCER:
            return [everybody, *await _calls(tx, "enqueue_functions", whom)]
        case RoleKind.LIMIT_CONSUMER:
            return [everybody, _fill("limit_consumer", role=whom)]
        case RoleKind.EXPORTER:
            return [everybody, *await _exporter(tx, whom), *await _calls(tx, "plain_functions", whom)]
        case _:
            assert_never(kind)


async def grant(tx: Tx, statements: Sequence[Composed]) -> None:
    """Carry them out."""
    for statement in statements:
        await tx.execute(statement)


async def _check(tx: Tx, kind: RoleKind, role: str) -> None:
    row = await (await tx.execute(_SQL["may_act_as"], {"role": role})).fetchone()
    if row is None:
        raise _refused(f"there is no role {role!r}: CREATE ROLE is the server's administrator's to call")
    if kind is RoleKind.WRITER and not row[0]:
        raise _refused(f"{row[1]} is no member of {role}: GRANT {role} TO {row[1]} as the server's administrator")


async def _reader(tx: Tx, whom: Identifier, collection: str) -> list[Composed]:
    row = await (await tx.execute(_SQL["collection"], {"name": collection})).fetchone()
    if row is None:
        raise _refused(f"there is no collection {collection!r}: `embedding-assets collections apply` makes it")
    collection_id, vector_schema = row
    body = _READER_SEARCH.format(sql.Literal(collection))
    functions = _fill(
        "reader_functions",
        search=_named(f"search_in_{collection}"),
        view=_named(f"chunks_of_{collection}"),
        vector=Identifier(vector_schema, "vector"),
        path=sql.SQL(", ").join([Identifier(_SCHEMA), Identifier(vector_schema), Identifier("pg_temp")]),
        body=sql.Literal(body.as_string(tx)),
        name=sql.Literal(collection),
        role=whom,
    )
    own = [table for table in await _vector_tables(tx) if table.startswith(f"embeddings_{collection_id}_")]
    return [functions, *(_fill("read_vectors", embeddings=_named(table), role=whom) for table in own)]


async def _exporter(tx: Tx, whom: Identifier) -> list[Composed]:
    cursor = await tx.execute(_SQL["columns_without"], {"hidden": _HIDDEN})
    rows: list[tuple[str, list[str], bool]] = await cursor.fetchall()
    vectors = set(await _vector_tables(tx))
    whole = sql.SQL(", ").join([_named(table) for table, _, hides in rows if not hides and table not in vectors])
    parts = [
        _fill("exporter_columns", columns=_listed(columns), table=_named(table), role=whom)
        for table, columns, hides in rows
        if hides
    ]
    return [_fill("exporter", tables=whole, role=whom), *parts]


async def _calls(tx: Tx, query: LiteralString, whom: Identifier) -> list[Composed]:
    rows = await (await tx.execute(_SQL[query])).fetchall()
    # regprocedure writes a name with its argument types, quoted as SQL needs it.
    return [_fill("call", function=sql.SQL(name), role=whom) for (name,) in rows]


async def _vector_tables(tx: Tx) -> list[str]:
    return [name for (name,) in await (await tx.execute(_SQL["vector_tables"])).fetchall()]


def _fill(query: LiteralString, **parts: Composable) -> Composed:
    return sql.SQL(_SQL[query]).format(**parts)


def _named(table: str) -> Identifier:
    return Identifier(_SCHEMA, table)


def _listed(names: Sequence[str]) -> Composed:
    return sql.SQL(", ").join([Identifier(name) for name in names])


def _refused(message: str) -> StoreError:
    return StoreError(ErrorType.DATABASE_REFUSED, message)
