"""What goes wrong on purpose: a transaction left open, one that changes rows in reverse order, a migration, all beside the load.

Not here: who waits for whom meanwhile (watching).
"""

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import psycopg

from bench.tracking.pgbench import APPLICATION

MIGRATION = "migration"
_CHANGE = "UPDATE articles SET body = %s, updated_at = clock_timestamp() WHERE id = %s"
# What a producer uses, in the order in which folds take them: a migration that deadlocks with a worker is another question.
_LOCKED = ("collections", "work_arrivals")


@contextmanager
def left_open(url: str, ids: Sequence[int], *, seconds: float) -> Generator[threading.Thread, None, None]:
    """A transaction that changes these rows at once and commits so much later; yields the thread that it ends with."""

    def hold() -> None:
        with psycopg.connect(url, application_name=APPLICATION) as connection:
            for number in ids:
                connection.execute(_CHANGE, [f"Changed at once, shown {seconds:g} s later: {number}.", number])
            time.sleep(seconds)

    yield from _beside(hold)


@contextmanager
def in_reverse(url: str, ids: Sequence[int], *, seconds: float) -> Generator[threading.Thread, None, None]:
    """Transactions that change these rows one by one, from the last to the first and all again, over and over."""

    def change() -> None:
        end, number = time.monotonic() + seconds, 0
        with psycopg.connect(url, application_name=APPLICATION) as connection:
            while time.monotonic() < end:
                number += 1
                for row in [*reversed(ids), *reversed(ids)]:
                    connection.execute(_CHANGE, [f"Turn {number} of row {row}.", row])
                connection.commit()
                time.sleep(0.05)

    yield from _beside(change)


def migrate(url: str, *, patience: float, seconds: float) -> bool:
    """Lock these tables as a migration that alters them does, for so long; False: not to be had within `patience`."""
    with psycopg.connect(url, application_name=MIGRATION) as connection:
        connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{patience:g}s"])
        try:
            for table in _LOCKED:
                connection.execute(f"LOCK TABLE embedding_assets.{table} IN ACCESS EXCLUSIVE MODE".encode())
        except psycopg.errors.LockNotAvailable:
            return False
        time.sleep(seconds)
        return True


def _beside(body: Callable[[], None]) -> Generator[threading.Thread, None, None]:
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            body()
        except psycopg.Error as error:
            failed.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    try:
        yield thread
    finally:
        thread.join()
    if failed:
        raise failed[0]
