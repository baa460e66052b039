"""The worker's process: runs of the engine, one after another, until it is told to stop. It never polls the table.

`python -m bench.tracking.worker DATABASE_URL API_BASE`
"""

import asyncio
import contextlib
import signal
import sys
from dataclasses import replace

from bench.tracking.scene import WORKER, open_table_bench
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline

_PAUSE_SECONDS = 0.2


async def _work(database_url: str, api_base: str) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    number = 0
    with contextlib.suppress(asyncio.CancelledError):
        async with open_table_bench(database_url, api_base, WORKER) as bench:
            # LiteLLM takes seconds to load.
            await bench.embedder.prepare()
            print("at work", flush=True)
            while True:
                number += 1
                await EmbeddingIngestionPipeline(replace(bench, run_id=f"{WORKER}-{number}")).run()
                await asyncio.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    asyncio.run(_work(*sys.argv[1:3]))
