"""`python -m bench.workers [--documents N]`: 1, 2 and 4 worker processes on this machine, then the arithmetic for 16 and 64.

Everything shares this machine's cores: workers, PostgreSQL and the simulated provider, which answers after 0.2 to 0.4 s.
"""

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

from bench.workers.draining import DIMENSIONS, INPUTS_PER_REQUEST, REQUESTS_AT_ONCE, Round, drain, fill
from bench.workers.projecting import Parts
from bench.workers.reserving import reservations
from bench.workers.source import CHUNKS
from embedding_assets.local import start_embedded, stop_embedded
from embedding_assets.store import migrations
from embedding_assets.store.database import ensure_database
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.server import database_at

_LATENCY = (0.2, 0.4)
_MEASURED, _PROJECTED = (1, 2, 4), (1, 2, 4, 16, 64)


def _rounds(server_url: str, server: int, documents: int) -> list[Round]:
    found: list[Round] = []
    for workers in _MEASURED:
        name = f"workers_{workers}"
        ensure_database(server_url, name)
        url = database_at(server_url, name)
        migrations.upgrade(url)
        asyncio.run(fill(url, documents * workers))
        with Simulator(dimensions=DIMENSIONS) as provider:
            provider.fault(FaultKind.DELAY, seconds=_LATENCY[0], seconds_max=_LATENCY[1])
            found.append(drain(url, provider.api_base, workers, documents * workers, server))
        one = found[-1]
        print(
            f"{workers} workers: {one.documents:,} documents in {one.seconds:.1f} s, {one.per_hour:,.0f} an hour; "
            f"CPU of a document: {one.worker_cpu * 1000:.1f} ms in the worker, {one.database_cpu * 1000:.1f} ms in PostgreSQL",
            flush=True,
        )
    return found


def main() -> None:
    """Start the server, measure, compute, stop it."""
    parser = argparse.ArgumentParser(prog="bench.workers", description=__doc__)
    parser.add_argument("--documents", type=int, default=1500, metavar="N", help="for each worker")
    documents = parser.parse_args().documents
    print(
        f"{os.cpu_count()} cores; {CHUNKS} chunks a document, {DIMENSIONS} dimensions, {INPUTS_PER_REQUEST} inputs a request, "
        f"{REQUESTS_AT_ONCE} requests of a worker at once, {_LATENCY[0]} to {_LATENCY[1]} s each"
    )
    with tempfile.TemporaryDirectory(prefix="embedding-assets-bench-") as folder:
        url = start_embedded(Path(folder)).database_url
        try:
            server = int((Path(folder) / "postgres" / "postmaster.pid").read_text().split()[0])
            rounds = _rounds(url, server, documents)
            migrations.upgrade(url)
            row = reservations(url)
        finally:
            stop_embedded(Path(folder))
    print(f"reservations on one limit: {row:,.0f} a second")
    parts = Parts(rounds[0].worker_cpu, rounds[0].database_cpu, sum(_LATENCY) / 2, row)
    for workers in _PROJECTED:
        value, by = parts.projected(workers)
        print(f"{workers:>3} workers with a core each: {value:>12,.0f} documents an hour, limited by: {by}")


if __name__ == "__main__":
    main()
