"""`python -m bench.scrape [--documents N]`: scrapes beside four workers that claim and settle, on a PostgreSQL of its own.

So many documents are tracked, and as many live changes are queued, each with its promise. Not here: what a scrape asks.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from bench.queue.draining import Claimer
from bench.scrape.filling import fill_database
from embedding_assets.domain.counts import Counts
from embedding_assets.domain.documents import SHARDS
from embedding_assets.local import start_embedded, stop_embedded
from embedding_assets.pipeline.counting import put_counts_together
from embedding_assets.pipeline.scraping import scrape
from embedding_assets.store import ledger, migrations
from embedding_assets.store.database import Database
from embedding_assets.store.reserved import ReservedConnection
from embedding_assets.telemetry.durable import DURABLE, DURATION_BUCKETS
from embedding_assets.telemetry.exposition import encoded
from embedding_assets.telemetry.metric import Kind

_WORKERS = 4
_PAUSE_SECONDS = 0.2


async def _work(url: str, collection_id: int, shards: range, over: asyncio.Event) -> int:
    """Claim and settle until it is over, entering counts as a settle does; how many documents."""
    done = 0
    async with Database(url, pool_size=2) as db:
        worker = Claimer(db, collection_id, shards, f"bench-{shards[0]}")
        while not over.is_set():
            items = await worker.claim([])
            await worker.settle(items)
            async with db.transaction() as tx:
                await ledger.enter(tx, _a_settles_counts(len(items)))
            done += len(items)
    return done


def _a_settles_counts(documents: int) -> Counts:
    counts = Counts()
    for metric in DURABLE[:12]:
        if metric.kind is Kind.COUNTER and metric.label_names == ("collection",):
            metric.add(counts, "docs", by=documents)
    for number in range(documents):
        counts.observe(("embedding_document_duration_seconds", ("docs", "included")), DURATION_BUCKETS, number / 10)
    return counts


async def _measure(url: str, documents: int, scrapes: int) -> None:
    async with Database(url, pool_size=2) as db:
        started = time.perf_counter()
        collection_id = await fill_database(db, documents)
        print(f"{documents:,} documents and as many queued made in {time.perf_counter() - started:.0f} s", flush=True)
        over = asyncio.Event()
        each = SHARDS // _WORKERS
        ranges = [range(first * each, (first + 1) * each) for first in range(_WORKERS)]
        workers = [asyncio.create_task(_work(url, collection_id, shards, over)) for shards in ranges]
        started = time.perf_counter()
        milliseconds = await _scrape(url, scrapes)
        seconds = time.perf_counter() - started
        over.set()
        done = sum(await asyncio.gather(*workers))
        print(f"{done / seconds:,.0f} documents/s claimed and settled by {_WORKERS} workers meanwhile")
        _print("beside the workers", milliseconds)
        await put_counts_together(db)
        _print("alone", await _scrape(url, scrapes))


async def _scrape(url: str, scrapes: int) -> list[float]:
    """Milliseconds of each, from the question to the bytes."""
    connection = ReservedConnection(url, application_name="embedding-assets-exporter")
    milliseconds: list[float] = []
    for _ in range(scrapes):
        started = time.perf_counter()
        snapshot = await scrape(connection)
        encoded(snapshot, "")
        milliseconds.append((time.perf_counter() - started) * 1_000)
        failed = [labels for labels, up in snapshot.gauges["embedding_exporter_query_up"].items() if not up]
        assert not failed, failed
        await asyncio.sleep(_PAUSE_SECONDS)
    await connection.close()
    return milliseconds


def _print(state: str, milliseconds: list[float]) -> None:
    p95 = statistics.quantiles(milliseconds, n=20)[-1]
    p50, most = statistics.median(milliseconds), max(milliseconds)
    print(f"{state}: {len(milliseconds)} scrapes, p50 {p50:.0f} ms   p95 {p95:.0f} ms   longest {most:.0f} ms")


def main() -> None:
    """Start the server, fill it, scrape it, stop it."""
    parser = argparse.ArgumentParser(prog="bench.scrape", description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000, metavar="N", help="tracked, and as many queued")
    parser.add_argument("--scrapes", type=int, default=60, metavar="N", help="in each state")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="embedding-assets-bench-") as folder:
        server = start_embedded(Path(folder))
        try:
            migrations.upgrade(server.database_url)
            asyncio.run(_measure(server.database_url, arguments.documents, arguments.scrapes))
        finally:
            stop_embedded(Path(folder))


if __name__ == "__main__":
    main()
