"""`make bench`: every case, a few rounds each, the two ways in turn; prints medians and the ratio."""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.cases import CASES, Case
from embedding_assets.local import start_embedded, stop_embedded
from embedding_assets.store import migrations

_ROUNDS = 5


async def _seconds(way: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await way()
    return time.perf_counter() - started


async def _measure(case: Case, url: str) -> None:
    async with case.prepared(url) as (ours, other):
        await ours()
        await other()
        pairs = [(await _seconds(ours), await _seconds(other)) for _ in range(_ROUNDS)]
    ratio = statistics.median(theirs / mine for mine, theirs in pairs)
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{case.title}\n  {case.ours:<52}{case.work / mine:>12,.0f} {case.unit}/s")
    print(f"  {case.other:<52}{case.work / theirs:>12,.0f} {case.unit}/s   ours is {ratio:.1f} times as fast\n")


def main(names: list[str]) -> None:
    """Run the named cases, or all."""
    with tempfile.TemporaryDirectory(prefix="embedding-assets-bench-") as folder:
        server = start_embedded(Path(folder))
        try:
            migrations.upgrade(server.database_url)
            for case in CASES:
                if not names or case.name in names:
                    asyncio.run(_measure(case, server.database_url))
        finally:
            stop_embedded(Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
