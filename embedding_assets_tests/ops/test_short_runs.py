"""Forty short runs come and go while a real Prometheus scrapes, and the exporter is killed once: nothing is lost."""

import asyncio
import json
import multiprocessing
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.limits import grouped_shards
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.providers.embedders import build_embedder
from embedding_assets.telemetry.durable import DURABLE
from embedding_assets_tests.exporter.processes import free_port, start_exporter, until_it_answers
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import DIMENSIONS, open_bench, simulated_model, write_documents

pytestmark = pytest.mark.ops

_SUCCESS = 'embedding_documents_processed_total{outcome="success"}'
_SEEN = {
    "processed": _SUCCESS,
    "good changes": 'embedding_changes_total{result="success"}',
    "promises met": 'embedding_freshness_sla_documents_total{result="met"}',
    "chunks": "embedding_chunks_processed_total",
    "requests": "sum(embedding_api_requests_total)",
    "documents tracked": "embedding_documents_tracked",
    "documents queued": "sum(embedding_queue_documents)",
    "documents timed": 'embedding_document_duration_seconds_count{waiting="included"}',
    "growth": f"max_over_time({_SUCCESS}[10m]) - min_over_time({_SUCCESS}[10m])",
}
_SAMPLES = [
    name
    for metric in DURABLE
    for name in ([f"{metric.name}_count", f"{metric.name}_sum"] if metric.buckets else [metric.name])
]

_AT_ONCE, _ROUNDS = 4, 10
_DOCUMENTS, _DOCUMENTS_A_RUN = 200, 5
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["embedding_assets_tests.soak.preloaded"])


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A server that scrapes one exporter every second."""

    base_url: str

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """An instant query's series and values."""
        url = f"{self.base_url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            body = json.loads(answer.read())
        return [(one["metric"], float(one["value"][1])) for one in body["data"]["result"]]

    def number(self, query: str) -> float:
        """The one value of a query; -1 where there is none yet."""
        return next((value for _, value in self.ask(query)), -1.0)

    def wait_for(self, query: str, is_there: Callable[[float], bool]) -> None:
        """Until the query's value is."""
        deadline = time.monotonic() + 30
        while not is_there(self.number(query)):
            assert time.monotonic() < deadline, query
            time.sleep(0.3)


@contextmanager
def prometheus(exporter_port: int, folder: Path) -> Generator[Prometheus, None, None]:
    port = free_port()
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        "scrape_configs:\n- job_name: embedding-assets\n  honor_labels: true\n"
        f"  static_configs: [{{targets: ['127.0.0.1:{exporter_port}'], labels: {{instance: exporter}}}}]\n",
        encoding="utf-8",
    )
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    process = subprocess.Popen(command)
    base = f"http://127.0.0.1:{port}"
    try:
        until_it_answers(f"{base}/-/ready")
        yield Prometheus(base)
    finally:
        process.terminate()
        process.wait(20)


@dataclass(slots=True)
class Scene:
    """A folder, its database, the provider, and the exporter that is killed and started again."""

    database_url: str
    folder: Path
    provider: Simulator
    port: int
    exporter: subprocess.Popen[bytes]

    def poll(self) -> None:
        """What is new in the folder is queued."""
        asyncio.run(_poll(self.database_url, self.folder, self.provider))

    def forty_runs(self) -> None:
        """Four at a time, each in a process of its own over shards of its own, for five documents at most."""
        for number in range(_ROUNDS):
            runs = [
                _CONTEXT.Process(
                    target=_short_run, args=(self.database_url, self.folder, self.provider.base_url, shards)
                )
                for shards in grouped_shards(range(SHARDS), _AT_ONCE)
            ]
            for run in runs:
                run.start()
            if number == _ROUNDS // 2:
                self.exporter.kill()
                self.exporter.wait()
            if number == _ROUNDS // 2 + 2:
                self.exporter = start_exporter(self.database_url, self.folder.parent, self.port)
            for run in runs:
                run.join(60)
                assert run.exitcode == 0

    def truth(self) -> tuple[int, int, int]:
        """Documents and chunks that are published, and documents left in the queue."""
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(_TRUTH).fetchone()
        assert row is not None
        return row


_TRUTH = """
    SELECT count(*)::int, coalesce(sum(chunks), 0)::int, (SELECT count(*)::int FROM embedding_assets.work_items)
    FROM embedding_assets.publications
"""


async def _poll(database_url: str, folder: Path, provider: Simulator) -> None:
    async with open_bench(database_url, folder, simulated_model(provider)) as bench:
        await sync_source(bench)


def _short_run(database_url: str, folder: Path, base_url: str, shards: Sequence[int]) -> None:
    async def run() -> None:
        model = EmbeddingModel("openai/simulated", DIMENSIONS)
        embedder = build_embedder(
            model, api_base=f"{base_url}/v1", api_key="k", timeout_seconds=20, wire_format=None, extra={}
        )
        async with open_bench(database_url, folder, embedder, max_inputs=4) as bench:
            await EmbeddingIngestionPipeline(bench).run(shards, max_documents=_DOCUMENTS_A_RUN)
            await bench.ledger.end(bench.db)

    asyncio.run(run())


@contextmanager
def _scene(database_url: str, folder: Path) -> Generator[Scene, None, None]:
    port = free_port()
    with Simulator() as provider:
        scene = Scene(database_url, folder, provider, port, start_exporter(database_url, folder.parent, port))
        try:
            yield scene
        finally:
            scene.exporter.terminate()
            scene.exporter.wait(30)


def test_forty_short_runs_are_counted_to_the_last_document_though_the_exporter_is_killed(
    database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    with _scene(database_url, folder) as scene, prometheus(scene.port, tmp_path) as server:
        scene.poll()
        server.wait_for(_SUCCESS, lambda value: value == 0)
        write_documents(folder, _DOCUMENTS)
        scene.poll()
        scene.forty_runs()
        published, chunks, left = scene.truth()
        assert published > _DOCUMENTS * 0.8
        server.wait_for(_SUCCESS, lambda value: value == published)
        assert {what: server.number(query) for what, query in _SEEN.items()} == {
            "processed": published,
            "good changes": published,
            "promises met": published,
            "chunks": chunks,
            "requests": scene.provider.counters().requests,
            "documents tracked": published,
            "documents queued": left,
            "documents timed": published,
            "growth": published,
        }
        resets = {name: server.number(f"sum(resets({name}[10m]))") for name in _SAMPLES}
        assert {name for name, number in resets.items() if number > 0} == set()
        increase = server.number(f"increase({_SUCCESS}[10m])")
        # It extrapolates to the ends of the window, by half a scrape at each.
        assert published <= increase < published * 1.1
        down = server.number("count_over_time(up[10m]) - sum_over_time(up[10m])")
        print(f"{published} documents, increase() {increase:.1f}, {down:.0f} scrapes while the exporter was down")
