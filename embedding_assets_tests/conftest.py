"""Fixtures of every room: a fresh, migrated PostgreSQL database on one embedded server per session."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import settings
from psycopg import Connection

from embedding_assets_tests.support.server import fresh_database, quick_folder, start_server, stop_server

# The same examples everywhere, and none of them fails for being slow on a busy machine.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

_HOME = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Workers of pytest-xdist share the server of the process that started them."""
    given = getattr(config, "workerinput", {}).get("postgres_home")
    if given is None:
        # Told to terminate (a time-out of CI), pytest ends as by Ctrl-C and stops the server.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        given = tempfile.mkdtemp(prefix="embedding-assets-", dir=quick_folder())
        # Not pytest_unconfigure: nobody calls it when another plugin's raises, as the reporter's does on a closed pipe.
        config.add_cleanup(lambda: stop_server(Path(given)))
    config.stash[_HOME] = Path(given)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["postgres_home"] = str(node.config.stash[_HOME])


@pytest.fixture(scope="session")
def server_url(pytestconfig: pytest.Config) -> str:
    """The running server's own database, for administration."""
    return start_server(pytestconfig.stash[_HOME])


@pytest.fixture(scope="session")
def administration(server_url: str) -> Iterator[Connection]:
    with psycopg.connect(server_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def database_url(administration: Connection, server_url: str) -> Iterator[str]:
    """A migrated database of this test's own."""
    with fresh_database(administration, server_url) as url:
        yield url


@pytest.fixture
def empty_database_url(administration: Connection, server_url: str) -> Iterator[str]:
    """A database without any schema of ours."""
    with fresh_database(administration, server_url, migrated=False) as url:
        yield url
