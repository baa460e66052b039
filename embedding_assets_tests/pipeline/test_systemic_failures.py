"""Failures that are nobody's document: the run ends with one sentence, everything claimed is given back unspent."""

import asyncio
from pathlib import Path

import pytest

from embedding_assets.domain.failures import ClassifiedError, ErrorType
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import work_queue
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import (
    on_bench_and_provider,
    open_bench,
    simulated_model,
    write_documents,
)
from embedding_assets_tests.support.failed import attempts_recorded, failed_rows


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, ErrorType.CREDENTIALS_REJECTED),
        (404, ErrorType.UNKNOWN_MODEL),
        (503, ErrorType.PROVIDER_UNAVAILABLE),
    ],
)
def test_a_provider_that_refuses_everybody_fails_the_run_and_no_document(
    database_url: str, tmp_path: Path, status: int, error: ErrorType
) -> None:
    write_documents(tmp_path, 30)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.STATUS, status=status)
        await sync_source(bench)
        with pytest.raises(ClassifiedError) as raised:
            await EmbeddingIngestionPipeline(bench).run()
        assert raised.value.error_type is error
        assert "\n" not in str(raised.value)
        assert (await failed_rows(bench), await attempts_recorded(bench)) == ([], 0)
        provider.reset()
        outcome = await EmbeddingIngestionPipeline(bench).run(probe_now=True)
        assert outcome.total.published == 30

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_provider_nobody_can_reach_fails_the_run_and_no_document(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 3)

    async def run() -> None:
        with Simulator() as provider:
            embedder = simulated_model(provider)
        async with open_bench(database_url, tmp_path, embedder) as bench:
            await sync_source(bench)
            with pytest.raises(ClassifiedError) as raised:
                await EmbeddingIngestionPipeline(bench).run()
            assert raised.value.error_type is ErrorType.CONNECTION_FAILED
            assert await failed_rows(bench) == []

    asyncio.run(run())


def test_an_unmounted_root_deletes_nothing(database_url: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    write_documents(root, 3)

    async def body(bench: Workbench, _: Simulator) -> None:
        await sync_source(bench)
        root.rename(tmp_path / "elsewhere")
        with pytest.raises(ClassifiedError) as run:
            await EmbeddingIngestionPipeline(bench).run()
        with pytest.raises(ClassifiedError) as listing:
            await sync_source(bench)
        assert listing.value.error_type is run.value.error_type is ErrorType.ROOT_UNAVAILABLE
        (tmp_path / "elsewhere").rename(root)
        outcome = await EmbeddingIngestionPipeline(bench).run(probe_now=True)
        assert (outcome.total.published, outcome.total.deleted) == (3, 0)

    on_bench_and_provider(database_url, root, body)


def test_what_a_failed_run_claimed_is_available_at_once(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 5)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.STATUS, status=401)
        await sync_source(bench)
        with pytest.raises(ClassifiedError):
            await EmbeddingIngestionPipeline(bench).run()
        async with bench.db.transaction() as tx:
            depths = await work_queue.queue_depth(tx)
        assert [(depth.state, depth.documents) for depth in depths] == [("waiting", 5)]

    on_bench_and_provider(database_url, tmp_path, body)


def test_throttling_waits_and_spends_no_attempt(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 5)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.STATUS, status=429, retry_after="0.1", times=2)
        await sync_source(bench)
        outcome = await EmbeddingIngestionPipeline(bench).run()
        assert outcome.total.published == 5
        assert outcome.requests.throttled_seconds > 0
        assert await attempts_recorded(bench) == 0

    on_bench_and_provider(database_url, tmp_path, body)
