"""`roles grant`: rights given or printed. What they are is tested on the store."""

import uuid
from collections.abc import Iterator

import pytest
from psycopg import Connection, sql

from embedding_assets_tests.cli.conftest import Project


@pytest.fixture
def role(administration: Connection) -> Iterator[str]:
    """A role of this test's own; not to be dropped before the database that gave it rights."""
    name = f"someone-{uuid.uuid4().hex[:8]}"
    administration.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
    yield name
    administration.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture
def with_role(role: str, applied: Project) -> tuple[str, Project]:
    return role, applied


def test_a_role_gets_its_rights_and_the_sql_can_be_printed_instead(with_role: tuple[str, Project]) -> None:
    role, project = with_role
    printed = project.call("roles", "grant", "reader", role, "-c", "handbook", "--print")
    assert (printed.code, printed.err) == (0, "")
    assert f'GRANT EXECUTE ON FUNCTION "embedding_assets"."search_in_handbook" TO "{role}";' in printed.out
    called = project.call("roles", "grant", "reader", role, "-c", "handbook")
    assert (called.code, called.out) == (0, f"{role} is reader of handbook\n")


@pytest.mark.parametrize(
    "arguments", ["owner x", "reader x", "exporter x -c handbook", "writer"], ids=lambda given: str(given).split()[0]
)
def test_a_kind_that_is_none_and_a_collection_in_the_wrong_place_are_wrong_usage(
    project: Project, arguments: str
) -> None:
    assert project.call("roles", "grant", *arguments.split()).code == 2


def test_a_role_that_does_not_exist_is_one_sentence(applied: Project) -> None:
    called = applied.call("roles", "grant", "exporter", "nobody\x1b[2J")
    assert called.code == 1
    assert called.err.startswith("error: there is no role 'nobody\\x1b[2J'")
    assert "\x1b[2J" not in called.err
