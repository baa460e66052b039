"""What one worker met stops the others: those under way, and those that start at the same time."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from embedding_assets.domain.circuits import CircuitOpen
from embedding_assets.domain.documents import Document, shard_of
from embedding_assets.domain.failures import ErrorType, ProviderError
from embedding_assets.domain.work import Tally
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline, RunOutcome
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.providers.sources.directory import DirectorySource
from embedding_assets.store import circuits
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import another_worker, on_bench_and_provider, paragraph, write_documents
from embedding_assets_tests.support.circuits import all_circuits, meet_a_failure, travel, waiting
from embedding_assets_tests.support.failed import attempts_recorded

_MODEL = "openai/simulated"


def test_what_one_worker_meets_stops_another_that_is_under_way_and_nothing_paid_is_lost(
    database_url: str, tmp_path: Path
) -> None:
    keys = [f"document-{number:03}.md" for number in range(120)]
    for number, key in enumerate(keys):
        text = paragraph(number, 0) if shard_of(key) >= 8 else f"A forbidden word and the number {number}."
        (tmp_path / key).write_text(text, encoding="utf-8")

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.STATUS, status=401, marker="forbidden")
        provider.fault(FaultKind.DELAY, seconds=0.15)
        await sync_source(bench)
        second, at_work = _slow_run(bench, range(8, 16))
        await at_work.wait()
        with pytest.raises(ProviderError):
            await EmbeddingIngestionPipeline(another_worker(bench, "first")).run(range(8))
        with pytest.raises(CircuitOpen, match=f"nobody claims for {_MODEL} since") as stopped:
            await second
        assert stopped.value.error_type is ErrorType.CREDENTIALS_REJECTED
        left = await waiting(bench)
        # It held 40 documents, of which one was at the provider.
        assert (set(left), 90 < left["waiting"] < 120) == ({"waiting"}, True)
        assert await attempts_recorded(bench) == 0

        provider.reset()
        outcome = await EmbeddingIngestionPipeline(bench).run(probe_now=True)
        assert outcome.total.published == left["waiting"]
        assert provider.counters().inputs == left["waiting"] + 1

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_run_that_is_stopped_fetches_no_more_of_what_it_holds(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 60, paragraphs=1)

    async def body(bench: Workbench, _: Simulator) -> None:
        source = _SlowFolder(tmp_path)
        await sync_source(bench)
        stopped, at_work = _slow_run(replace(bench, source=source, pace=replace(bench.pace, fetchers=1)), range(16))
        await at_work.wait()
        async with bench.db.transaction() as tx:
            await circuits.open_circuit(tx, "source docs", "root_unavailable", "away", probe_in=30)
        with pytest.raises(CircuitOpen, match="away"):
            await stopped
        assert source.fetched < 25
        assert set(await waiting(bench)) == {"waiting"}

    on_bench_and_provider(database_url, tmp_path, body)


class _SlowFolder(DirectorySource):
    """Takes a tenth of a second for a document, and counts them."""

    fetched = 0

    def fetch(self, document_key: str) -> Document:
        time.sleep(0.1)
        self.fetched += 1
        return super().fetch(document_key)


def _slow_run(bench: Workbench, shards: range) -> tuple[asyncio.Task[RunOutcome], asyncio.Event]:
    """A run that holds 40 documents and sends an input at a time; and when it has settled the first."""
    at_work = asyncio.Event()

    def settled(_: Tally) -> None:
        at_work.set()

    pace = replace(bench.pace, claim_documents=20, requests_at_once=1)
    target = replace(bench.target, caps=replace(bench.target.caps, max_inputs=1))
    slow = replace(bench, run_id="slow", pace=pace, target=target)
    return asyncio.create_task(EmbeddingIngestionPipeline(slow, on_settled=settled).run(shards)), at_work


def test_two_runs_that_start_at_once_send_one_probe(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 5)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await meet_a_failure(bench, provider)
        await travel(bench, 31)
        opening = provider.counters().requests
        pipelines = [EmbeddingIngestionPipeline(another_worker(bench, name)) for name in ("first", "second")]
        ends = await asyncio.gather(*(one.run() for one in pipelines), return_exceptions=True)
        assert [type(end) for end in ends] == [CircuitOpen, CircuitOpen]
        assert provider.counters().requests - opening == 1
        [circuit] = await all_circuits(bench)
        assert (circuit.probes, circuit.due) == (1, False)

    on_bench_and_provider(database_url, tmp_path, body)
