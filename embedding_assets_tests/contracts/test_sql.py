"""Every named query: PostgreSQL takes it, Python gives it what it asks for and nothing else, somebody uses it."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import Connection

from embedding_assets.store import queries
from embedding_assets.store.database import Database
from embedding_assets.store.queries import all_queries
from embedding_assets_tests.support.collections import MadeCollection, make_collection
from embedding_assets_tests.support.database import run
from embedding_assets_tests.support.server import fresh_database
from embedding_assets_tests.support.sql_files import (
    parameter_names,
    prepare,
    quoted_literals,
    takes_parameters,
    with_tables,
)
from embedding_assets_tests.support.store_modules import StoreModule

_QUERIES = all_queries()
_FILES = sorted({name.partition(".")[0] for name in _QUERIES})
# They run in Dagster's own database, and in other people's: their own tests run each of them.
_ELSEWHERE = ("dagster_storage.", "foreign_tables.")
_OURS = [name for name in _QUERIES if not name.startswith(_ELSEWHERE)]
_STORE = Path(queries.__file__).parent


@pytest.fixture(scope="module", params=["vector", "halfvec"])
def migrated(
    request: pytest.FixtureRequest, administration: Connection, server_url: str
) -> Iterator[tuple[Connection, MadeCollection]]:
    """A connection with a collection's vector table, its index, and the tables a transaction makes for itself."""

    async def fill(db: Database) -> MadeCollection:
        return await make_collection(db, storage=request.param)

    with fresh_database(administration, server_url) as url:
        docs = run(url, fill)
        with psycopg.connect(url, autocommit=True) as connection:
            for name in ("vectors.create_staging", "source_listings.create_listing"):
                lasting = with_tables(connection, _QUERIES[name], docs).partition("ON COMMIT")[0]
                connection.execute(lasting.encode())
            yield connection, docs


@pytest.mark.parametrize("name", [name for name in _OURS if takes_parameters(_QUERIES[name])])
def test_postgresql_takes_the_query_with_as_many_parameters_as_are_named(
    migrated: tuple[Connection, MadeCollection], name: str
) -> None:
    connection, docs = migrated
    query = with_tables(connection, _QUERIES[name], docs)
    prepared = prepare(connection, query)
    assert (prepared.error, prepared.parameters) == ("", len(parameter_names(query)))


@pytest.mark.parametrize("name", [name for name in _QUERIES if not takes_parameters(_QUERIES[name])])
def test_a_statement_that_takes_no_parameters_is_given_none(name: str) -> None:
    assert parameter_names(_QUERIES[name]) == set()


@pytest.mark.parametrize("name", _QUERIES)
def test_no_placeholder_stands_inside_a_quoted_literal(name: str) -> None:
    assert [text for text in quoted_literals(_QUERIES[name]) if "%" in text or re.search(r"\{\w", text)] == []


@pytest.mark.parametrize("file", _FILES)
def test_every_query_is_used_by_the_module_of_its_file_and_every_one_used_is_there(file: str) -> None:
    module = StoreModule.read(_STORE / f"{file}.py")
    written = {name.partition(".")[2] for name in _QUERIES if name.startswith(f"{file}.")}
    assert module.queries_named <= written
    assert written <= module.strings


@pytest.mark.parametrize("file", _FILES)
def test_a_function_gives_its_queries_the_parameters_they_name_and_no_others(file: str) -> None:
    module = StoreModule.read(_STORE / f"{file}.py")
    for function in module.functions:
        asked = {name for query in module.queries_of(function) for name in parameter_names(_QUERIES[f"{file}.{query}"])}
        if asked:
            assert (function, module.keys_of(function)) == (function, asked)
