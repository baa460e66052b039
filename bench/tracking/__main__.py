"""`python -m bench.tracking`: on an embedded PostgreSQL of its own, as it ships. Exits with 1 when anything was lost or waited.

Not here: what is measured, in which order (measuring).
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from bench.tracking.measuring import SPARE_ROWS, Ride, Size, figures
from bench.tracking.scene import prepare, provider, working
from embedding_assets.local import start_embedded, stop_embedded
from embedding_assets.store import migrations


def main() -> int:
    """Start everything, measure, stop it."""
    size = _size()
    harmless = False
    with tempfile.TemporaryDirectory(prefix="embedding-assets-bench-") as folder:
        server = start_embedded(Path(folder))
        try:
            url = server.database_url
            migrations.upgrade(url)
            tracked = asyncio.run(prepare(url, size.rows + SPARE_ROWS))
            print(f"{size.rows:,} rows, {size.rate} updates a second", flush=True)
            with provider() as api_base, working(url, api_base) as worker:
                for found in figures(url, tracked, worker, size):
                    print(found, flush=True)
                    harmless = harmless or (isinstance(found, Ride) and found.harmless)
        finally:
            stop_embedded(Path(folder))
    return int(not harmless)


def _size() -> Size:
    parser = argparse.ArgumentParser(prog="bench.tracking", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=200, help="updates a second")
    parser.add_argument("--segment", type=float, default=10.0, help="seconds of the load without triggers, or with")
    parser.add_argument("--rounds", type=int, default=3, help="how often each of them comes")
    parser.add_argument("--ride", type=float, default=75.0, help="seconds of the load while everything is disturbed")
    parser.add_argument("--open", type=float, default=60.0, help="seconds that a transaction is left open")
    given = parser.parse_args()
    return Size(given.rows, given.rate, given.segment, given.rounds, given.ride, given.open)


if __name__ == "__main__":
    sys.exit(main())
