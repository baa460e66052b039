"""`python -m bench.queue [--references N]`: on an embedded PostgreSQL of its own, with autovacuum as a server ships it.

Not here: what is measured, in which order (measuring).
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

from bench.queue.measuring import measure
from embedding_assets.local import start_embedded, stop_embedded
from embedding_assets.store import migrations
from embedding_assets.store.database import Database


async def _print_all(url: str, references: int, patience: float) -> None:
    async with Database(url) as db:
        async for measured in measure(db, references, patience=patience):
            print(measured, flush=True)


def main() -> None:
    """Start the server, measure, stop it."""
    parser = argparse.ArgumentParser(prog="bench.queue", description=__doc__)
    parser.add_argument("--references", type=int, default=1_000_000, metavar="N", help="how large the queue is")
    parser.add_argument(
        "--patience", type=float, default=180.0, metavar="SECONDS", help="to wait for autovacuum after each draining"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="embedding-assets-bench-") as folder:
        server = start_embedded(Path(folder))
        try:
            migrations.upgrade(server.database_url)
            asyncio.run(_print_all(server.database_url, arguments.references, arguments.patience))
        finally:
            stop_embedded(Path(folder))


if __name__ == "__main__":
    main()
