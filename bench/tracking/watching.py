"""Who waits for whose locks, looked at many times a second while the application, the worker and a migration are at work.

Not here: making them wait (disturbing).
"""

import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

import psycopg

# Of pg_stat_activity's application_name; the worker's pool calls itself by the product's name.
_WAITS = """
SELECT a.application_name, b.application_name
FROM pg_stat_activity AS a CROSS JOIN LATERAL unnest(pg_blocking_pids(a.pid)) AS p (pid)
JOIN pg_stat_activity AS b ON b.pid = p.pid
WHERE a.datname = current_database() AND a.wait_event_type = 'Lock'
"""
_EVERY_SECONDS = 0.02


class Waits:
    """How often (who, for whom) was seen waiting, of so many looks."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, str]] = Counter()
        self.looks = 0

    def of(self, waiter: str, *, but_for: str) -> int:
        """How often `waiter` was seen waiting for anybody else."""
        return sum(times for (who, whom), times in self.seen.items() if who == waiter and whom != but_for)


@contextmanager
def watched(url: str) -> Generator[Waits, None, None]:
    """Looked at until the end of the block."""
    waits, ended = Waits(), threading.Event()

    def look() -> None:
        with psycopg.connect(url, autocommit=True, application_name="watcher") as connection:
            while not ended.wait(_EVERY_SECONDS):
                waits.seen.update(connection.execute(_WAITS).fetchall())
                waits.looks += 1

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield waits
    finally:
        ended.set()
        watcher.join()


def deadlocks(url: str) -> int:
    """Since the database was made."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        row = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert row is not None
    return row[0]
