"""The named queries as PostgreSQL sees them: placeholders of tables filled, parameters numbered."""

import re
from dataclasses import dataclass

from psycopg import Connection, sql
from psycopg.pq import ExecStatus
from typing_extensions import LiteralString

from embedding_assets_tests.support.collections import MadeCollection

_PARAMETER = re.compile(r"%\((\w+)\)s")
_BRACES = re.compile(r"\{\w+\}")
_COMMENT = re.compile(r"--.*$", re.MULTILINE)
_LITERAL = re.compile(r"'(?:[^']|'')*'")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What PostgreSQL says of a prepared query; `error` is empty when there is none."""

    parameters: int
    error: str


def parameter_names(query: str) -> set[str]:
    """Names of its `%(name)s` parameters."""
    return set(_PARAMETER.findall(query))


def quoted_literals(query: str) -> list[str]:
    """Its string literals, comments left out."""
    return _LITERAL.findall(_COMMENT.sub("", query))


def takes_parameters(query: str) -> bool:
    """Whether such a statement takes parameters; COPY, CREATE, ALTER, DROP and ANALYZE take none."""
    return bool(re.match(r"(WITH|SELECT|INSERT|UPDATE|DELETE|CALL)\b", _COMMENT.sub("", query).lstrip()))


def with_tables(connection: Connection, query: LiteralString, docs: MadeCollection) -> str:
    """The query with everything in braces filled in for this collection's table, as the store does."""
    if not _BRACES.search(query):
        return query
    halfvec = docs.table.model.storage == "halfvec"
    filled = sql.SQL(query).format(
        embeddings=sql.Identifier("embedding_assets", docs.table.name),
        staging=sql.Identifier("pg_temp", f"staging_{docs.table.name}"),
        index=sql.Identifier("embedding_assets", docs.table.index_name),
        table=sql.Identifier("embedding_assets", "chunks"),
        index_name=sql.Identifier(docs.table.index_name),
        norm=sql.SQL("l2_norm") if halfvec else sql.SQL("vector_norm"),
        type=sql.SQL("halfvec(4)") if halfvec else sql.SQL("vector(4)"),
        operators=sql.SQL("halfvec_l2_ops") if halfvec else sql.SQL("vector_l2_ops"),
        m=16,
        ef=64,
    )
    return filled.as_string(connection)


def prepare(connection: Connection, query: str) -> Prepared:
    """Have PostgreSQL parse it, every parameter's type left for PostgreSQL to find."""
    names = sorted(parameter_names(query))
    numbered = _PARAMETER.sub(lambda match: f"${names.index(match[1]) + 1}", query).replace("%%", "%")
    result = connection.pgconn.prepare(b"", numbered.encode())
    if result.status != ExecStatus.COMMAND_OK:
        return Prepared(0, result.error_message.decode())
    return Prepared(connection.pgconn.describe_prepared(b"").nparams, "")
