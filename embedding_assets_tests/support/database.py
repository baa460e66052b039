"""Running an async test body on the test's own database, with as many connections as it opens transactions."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from embedding_assets.store.database import Database

T = TypeVar("T")


def run(database_url: str, body: Callable[[Database], Awaitable[T]]) -> T:
    """What `body` returns, run in an event loop of its own with an open database."""

    async def with_database() -> T:
        async with Database(database_url, pool_size=8, application_name="test") as db:
            return await body(db)

    return anyio.run(with_database)


def on_database(body: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Make a test of an async function whose first argument is the open database; the others are fixtures."""
    signature = inspect.signature(body)
    url = inspect.Parameter("database_url", inspect.Parameter.KEYWORD_ONLY)

    @functools.wraps(body)
    def test(*, database_url: str, **fixtures: object) -> None:
        run(database_url, lambda db: body(db, **fixtures))

    others = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in list(signature.parameters.values())[1:]]
    test.__signature__ = signature.replace(parameters=[url, *others])  # pyright: ignore[reportAttributeAccessIssue]
    return test


async def waiting_for_a_lock(db: Database, *, transactions: int = 1) -> None:
    """Return once so many transactions of this database wait for a lock of another.

    Raises:
        TimeoutError: none did within 20 seconds.
    """
    with anyio.fail_after(20):
        while True:
            async with db.transaction() as tx:
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                row = await (await tx.execute(waiting)).fetchone()
            if row and row[0] >= transactions:
                return
            await anyio.sleep(0.005)
