"""A source's root that cannot be read stops the claims of its collection until it was read once."""

from pathlib import Path

import pytest

from embedding_assets.domain.circuits import CircuitOpen
from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.tracking import queue_changed
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import on_bench_and_provider, write_documents
from embedding_assets_tests.support.circuits import all_circuits, travel
from embedding_assets_tests.support.failed import attempts_recorded


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of three documents that can be taken away."""
    folder = tmp_path / "root"
    folder.mkdir()
    write_documents(folder, 3)
    return folder


def _unmount(root: Path) -> None:
    root.rename(root.with_name("elsewhere"))


def _mount(root: Path) -> None:
    root.with_name("elsewhere").rename(root)


def test_a_run_on_an_unmounted_root_opens_the_circuit_and_a_poll_closes_it(database_url: str, root: Path) -> None:
    async def body(bench: Workbench, provider: Simulator) -> None:
        await sync_source(bench)
        _unmount(root)
        with pytest.raises(SourceError):
            await EmbeddingIngestionPipeline(bench).run()
        [circuit] = await all_circuits(bench)
        assert (circuit.provider, circuit.reason) == ("source docs", "root_unavailable")
        with pytest.raises(CircuitOpen, match="mount it") as told:
            await EmbeddingIngestionPipeline(bench).run()
        assert told.value.error_type is ErrorType.ROOT_UNAVAILABLE
        _mount(root)
        await sync_source(bench)
        assert await all_circuits(bench) == []
        assert (await EmbeddingIngestionPipeline(bench).run()).total.published == 3
        assert (await attempts_recorded(bench), provider.counters().max_duplicates) == (0, 1)

    on_bench_and_provider(database_url, root, body)


def test_a_poll_of_an_unmounted_root_opens_the_circuit_and_a_runs_probe_closes_it(
    database_url: str, root: Path
) -> None:
    async def body(bench: Workbench, _: Simulator) -> None:
        await sync_source(bench)
        _unmount(root)
        with pytest.raises(SourceError):
            await sync_source(bench)
        await travel(bench, 31)
        with pytest.raises(CircuitOpen, match="it is probed in"):
            await EmbeddingIngestionPipeline(bench).run()
        [circuit] = await all_circuits(bench)
        assert (circuit.provider, circuit.probes) == ("source docs", 1)
        _mount(root)
        await travel(bench, 61)
        assert (await EmbeddingIngestionPipeline(bench).run()).total.published == 3
        assert await all_circuits(bench) == []

    on_bench_and_provider(database_url, root, body)


def test_looking_for_changes_by_hand_opens_it_likewise(database_url: str, root: Path) -> None:
    async def body(bench: Workbench, _: Simulator) -> None:
        await sync_source(bench)
        await EmbeddingIngestionPipeline(bench).run()
        _unmount(root)
        with pytest.raises(SourceError):
            await queue_changed(bench, range(16))
        assert [circuit.provider for circuit in await all_circuits(bench)] == ["source docs"]

    on_bench_and_provider(database_url, root, body)
