"""Connections and transactions: the pool of one event loop, and PostgreSQL's errors translated to ours.

Not here: any query of the product, what a SQLSTATE means (sqlstates). A transaction is short and never open across a provider or
source call.
"""

import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeAlias, TypeVar

import anyio
import psycopg
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from typing_extensions import LiteralString, Self

from embedding_assets.domain.backoff import short_wait
from embedding_assets.domain.failures import ErrorType, StoreError
from embedding_assets.domain.surprises import described
from embedding_assets.store.sqlstates import advice, error_type_of, unconnected

Tx: TypeAlias = AsyncConnection[TupleRow]
T = TypeVar("T")

_log = logging.getLogger(__name__)

# Of a transaction that meets a deadlock, a lock or a time-out: most are over when it is tried the second time.
BUSY_TRIES = 4


class Database:
    """A pool of connections. It belongs to the event loop it was opened in."""

    def __init__(self, url: str, *, pool_size: int = 8, application_name: str = "embedding-assets") -> None:
        self.url = url
        self._pool: AsyncConnectionPool[Tx] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=pool_size,
            open=False,
            timeout=30,
            check=AsyncConnectionPool.check_connection,
            kwargs={"autocommit": True, "application_name": application_name},
        )

    async def __aenter__(self) -> Self:
        with translated_errors():
            await self._knock()
            await self._pool.open(wait=True, timeout=15)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def _knock(self) -> None:
        """Raise where the server refuses the role: the pool would try for long, and keep the reason to itself."""
        try:
            connection = await AsyncConnection.connect(self.url, connect_timeout=5)
        except psycopg.OperationalError as error:
            if _error_type(error) is ErrorType.DATABASE_REFUSED:
                raise
        else:
            await connection.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Tx, None]:
        """One transaction on a pooled connection, committed at the end of the block.

        Raises:
            StoreError: classified by its SQLSTATE, with PostgreSQL's own short message.
        """
        with translated_errors():
            async with self._pool.connection() as connection, connection.transaction():
                yield connection

    async def atomically(self, work: Callable[[Tx], Awaitable[T]], *, tries: int = BUSY_TRIES) -> T:
        """What `work` returns, in one transaction; all of it anew, a few times, where another session was in the way.

        Raises:
            StoreError: as `transaction`; `database_busy` after the last try.
        """
        tried = 0
        while True:
            try:
                async with self.transaction() as tx:
                    return await work(tx)
            except StoreError as error:
                tried += 1
                if error.error_type is not ErrorType.DATABASE_BUSY or tried >= tries:
                    raise
            await anyio.sleep(short_wait(tried, luck=random.random(), first_seconds=0.1))

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Tx, None]:
        """A pooled connection in autocommit, outside any transaction: for procedures that commit by themselves."""
        with translated_errors():
            async with self._pool.connection() as connection:
                yield connection

    @asynccontextmanager
    async def autocommit(self) -> AsyncGenerator[Tx, None]:
        """A connection of its own, outside the pool and outside any transaction: for index builds and procedures."""
        with translated_errors():
            connection = await AsyncConnection.connect(self.url, autocommit=True)
            async with connection:
                yield connection


@contextmanager
def translated_errors() -> Generator[None, None, None]:
    """Turn psycopg's exceptions into StoreError. DETAIL is left out: it quotes the row's data.

    The original is not chained, because tracebacks print it whole; where it was raised is kept.
    """
    try:
        yield
    except PoolTimeout as error:
        message = (
            "no database connection was free or reachable in time; check the server and EMBEDDING_ASSETS_POOL_SIZE"
        )
        raise _store_error(ErrorType.DATABASE_UNAVAILABLE, message, error) from None
    except UnicodeEncodeError as error:
        message = "PostgreSQL: text with half of a surrogate pair is not Unicode"
        raise _store_error(ErrorType.INVALID_DATA, message, error) from None
    except psycopg.Error as error:
        error_type = _error_type(error)
        if error_type is ErrorType.UNEXPECTED:
            _log.error("unexpected error of PostgreSQL, SQLSTATE %s: %s", error.sqlstate, described(error))
        raise _store_error(error_type, _primary(error) + advice(error_type), error) from None


def _error_type(error: psycopg.Error) -> ErrorType:
    """By SQLSTATE; what psycopg says by itself carries none: a lost connection, or a value that it cannot send."""
    if error.sqlstate is not None:
        return error_type_of(error.sqlstate)
    if isinstance(error, psycopg.OperationalError):
        return unconnected(str(error))
    return ErrorType.INVALID_DATA if isinstance(error, psycopg.DataError) else ErrorType.UNEXPECTED


def _store_error(error_type: ErrorType, message: str, original: Exception) -> StoreError:
    return StoreError(error_type, message).with_traceback(original.__traceback__)


def _primary(error: psycopg.Error) -> str:
    state = f" ({error.sqlstate})" if error.sqlstate else ""
    text = error.diag.message_primary or str(error).strip().partition("\n")[0]
    return f"PostgreSQL: {text}{state}"


def storable(message: str) -> str:
    """A message as PostgreSQL takes it, of at most 2,000 characters.

    A source may quote a name that is not UTF-8: a failure that cannot be recorded would fail the run, every time.
    """
    return message.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:2000]


def ensure_database(url: str, name: str) -> bool:
    """Create the database `name` on the server of `url` unless it exists; True when it was created."""
    with translated_errors(), psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount:
            return False
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            # Another process that starts at the same time was quicker.
            return False
    return True


def execute_autocommit(url: str, statement: LiteralString) -> None:
    """One administrative statement on a connection of its own."""
    with translated_errors(), psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
