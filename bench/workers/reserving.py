"""How many reservations a second one limit's row takes from several connections at once."""

import threading
import time

import psycopg

_CALL = "CALL embedding_assets.reserve('bench', 'ours', 'backfill', 1, 16, 100, NULL)"
_SECONDS = 4.0


def reservations(url: str, *, connections: int = 8) -> float:
    """A second, granted or refused, on a limit that is wide enough for all."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO embedding_assets.rate_limits (name, requests_per_minute) VALUES ('bench', 1000000000)"
        )
        connection.execute(
            "INSERT INTO embedding_assets.rate_limit_consumers (limit_name, consumer) VALUES ('bench', 'ours')"
        )
    counts: list[int] = []
    until = time.monotonic() + _SECONDS
    threads = [threading.Thread(target=_reserve, args=(url, until, counts)) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / _SECONDS


def _reserve(url: str, until: float, counts: list[int]) -> None:
    count = 0
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < until:
            connection.execute(_CALL)
            count += 1
    counts.append(count)
