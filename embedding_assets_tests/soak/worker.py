"""One worker process: runs of the engine over its shards, one after another, until it is told to stop.

Not here: the neighbour, who draws on the same limit.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from embedding_assets.domain.failures import ClassifiedError
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.workbench import Pace, Target, Workbench
from embedding_assets.providers.embedders import build_embedder
from embedding_assets.store.database import Database
from embedding_assets_tests.support.generated import GeneratedSource

# Sixteen workers with the default of eight would need more connections than the embedded server's hundred.
_POOL_SIZE = 4
_PAUSE_SECONDS = 0.5


def work(database_url: str, api_base: str, target: Target, name: str, shards: Sequence[int], changes: Path) -> None:
    """Until SIGTERM, which gives back what is claimed."""
    asyncio.run(_work(database_url, api_base, target, name, shards, GeneratedSource(0, changes)))


async def _work(
    database_url: str, api_base: str, target: Target, name: str, shards: Sequence[int], source: GeneratedSource
) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    embedder = build_embedder(
        target.model, api_base=api_base, api_key="a-key", timeout_seconds=20, wire_format=None, extra={}
    )
    with contextlib.suppress(asyncio.CancelledError):
        async with Database(database_url, pool_size=_POOL_SIZE, application_name=name) as db:
            try:
                await _run_for_ever(Workbench(db, source, embedder, target, name, Pace()), shards)
            finally:
                await embedder.aclose()


async def _run_for_ever(bench: Workbench, shards: Sequence[int]) -> None:
    number = 0
    while True:
        number += 1
        try:
            await EmbeddingIngestionPipeline(replace(bench, run_id=f"{bench.run_id}/{number}")).run(shards)
        except ClassifiedError as error:
            print(f"{bench.run_id}: run {number} failed: {error}", file=sys.stderr)
        await asyncio.sleep(_PAUSE_SECONDS)
