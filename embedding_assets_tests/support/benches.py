"""A workbench on a real database for tests of the pipeline: a folder as source, the simulator or the local model behind it.

Not here: the database itself (conftest), collections files (the runtime's tests).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from embedding_assets.domain.chunking import ChunkingStrategy
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.packing import PackingCaps
from embedding_assets.domain.ports import Embedder, Source
from embedding_assets.domain.work import Tally
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline, RunOutcome
from embedding_assets.pipeline.sync import SyncOutcome, sync_source
from embedding_assets.pipeline.workbench import Pace, Target, Workbench
from embedding_assets.providers.embedders import build_embedder
from embedding_assets.providers.sources.directory import DirectorySource
from embedding_assets.store import collections
from embedding_assets.store.collections import CollectionSettings
from embedding_assets.store.database import Database
from embedding_assets_tests.simulator import Simulator

DIMENSIONS = 8
CHUNKING = ChunkingStrategy(size=120, overlap=0)
# Short retries and quick settles; the ladder keeps its real rungs.
PACE = Pace(lease_seconds=30, settle_interval=0.02, request_tries=2)


def simulated_model(
    provider: Simulator,
    *,
    name: str = "openai/simulated",
    key: str = "a-key",
    storage: str = "vector",
    timeout_seconds: float = 20,
    template: str = "{content}",
) -> Embedder:
    """A model of `DIMENSIONS` dimensions behind the simulator, over real HTTP through LiteLLM."""
    return build_embedder(
        EmbeddingModel(name, provider.dimensions, storage, input_template=template),
        api_base=provider.api_base,
        api_key=key,
        timeout_seconds=timeout_seconds,
        wire_format=None,
        extra={},
    )


@asynccontextmanager
async def open_bench(
    database_url: str,
    source: Source | Path,
    embedder: Embedder,
    *,
    chunking: ChunkingStrategy = CHUNKING,
    pace: Pace = PACE,
    max_inputs: int = 16,
    run_id: str = "test-run",
) -> AsyncGenerator[Workbench, None]:
    """The workbench of collection `docs`, applied with these settings."""
    if isinstance(source, Path):
        source = DirectorySource(source)
    async with Database(database_url, pool_size=6) as db:
        async with db.transaction() as tx:
            await collections.apply(tx, _settings(chunking, embedder.model))
            applied = await collections.find(tx, "docs")
        assert applied is not None
        caps = PackingCaps(max_inputs=max_inputs, max_tokens=100_000)
        target = Target("docs", applied.id, applied.model_id, embedder.model, chunking, caps)
        try:
            yield Workbench(db, source, embedder, target, run_id, pace)
        finally:
            await embedder.aclose()


async def sync_and_run(bench: Workbench, *, force: bool = False) -> RunOutcome:
    """Poll the source, then drain the queue."""
    await sync_source(bench)
    return await EmbeddingIngestionPipeline(bench).run(force=force)


async def changed_run(bench: Workbench) -> tuple[SyncOutcome, Tally]:
    """Poll and drain; what the poll found and what the run did."""
    found = await sync_source(bench)
    outcome = await EmbeddingIngestionPipeline(bench).run()
    return found, outcome.total


def on_bench(database_url: str, folder: Path, body: Callable[[Workbench], Awaitable[None]]) -> None:
    """Run an async test body on a bench over this folder and an honest simulator."""

    async def bench_only(bench: Workbench, _: Simulator) -> None:
        await body(bench)

    on_bench_and_provider(database_url, folder, bench_only)


def on_bench_and_provider(
    database_url: str, folder: Path, body: Callable[[Workbench, Simulator], Awaitable[None]]
) -> None:
    """Run an async test body on a bench over this folder, with the simulator's switches at hand."""

    async def run() -> None:
        with Simulator() as provider:
            async with open_bench(database_url, folder, simulated_model(provider)) as bench:
                await body(bench, provider)

    asyncio.run(run())


def another_worker(bench: Workbench, run_id: str) -> Workbench:
    """The same bench under another run's name."""
    return replace(bench, run_id=run_id)


def write_documents(folder: Path, count: int, *, paragraphs: int = 3) -> dict[str, str]:
    """`count` Markdown files of distinct paragraphs, each paragraph one chunk; their texts by key."""
    texts: dict[str, str] = {}
    for number in range(count):
        body = "\n\n".join(paragraph(number, part) for part in range(paragraphs))
        key = f"document-{number:03}.md"
        (folder / key).write_text(body, encoding="utf-8")
        texts[key] = body
    return texts


def paragraph(number: int, part: int) -> str:
    """A paragraph of just under 120 characters, different for every (number, part)."""
    return f"Paragraph {part} of document {number} says the words number {number * 1000 + part} and then ends. ".ljust(
        110, "."
    )


def _settings(chunking: ChunkingStrategy, model: EmbeddingModel) -> CollectionSettings:
    return CollectionSettings(
        name="docs",
        owner="",
        source={"type": "directory"},
        chunking={"strategy": chunking.name, "size": chunking.size, "overlap": chunking.overlap},
        chunker_fingerprint=chunking.fingerprint,
        model=model,
        limit_name=None,
        budgets={},
        weight=1.0,
        paused=False,
        freshness_seconds=3600.0,
    )
