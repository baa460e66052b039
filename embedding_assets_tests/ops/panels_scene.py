"""A run of everything that panels show, scraped by a real Prometheus: work, waiting, failures of many kinds, money, a forecast.

Real database, Dagster runs in this process, exporter and Prometheus as processes; the provider is the simulator. Rules are played
sixty times faster. Not here: asking the panels (test_panels).
"""

import asyncio
import os
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from embedding_assets.defs.ticks import retry_tick
from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.pipeline.indexing import ensure_index
from embedding_assets.runtime import open_workbench
from embedding_assets_tests.ops.servers import Prometheus, exporter, free_port, prometheus
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import paragraph
from embedding_assets_tests.support.code_location import CodeLocation, build_location
from embedding_assets_tests.support.database import run
from embedding_assets_tests.support.history import write_history

FASTER = 60
_DOCUMENTS = 60
# The model is the last line of the collection's table: what follows it are tables of their own.
_MODEL = """\
{{ name = "openai/simulated", dimensions = {dimensions}, max_inputs_per_request = 8, usd_per_million_tokens = 2.0 }}
budgets = {{ max_usd_per_day = 5, max_usd_per_month = 50 }}
limit = "key"

[limits.key]
requests_per_minute = 90
share = 0.7
"""
_ROUNDS = 3
# Two scrapes, one a second, and two evaluations of the rules that are played five seconds apart.
_SETTLE_SECONDS = 20.0


@contextmanager
def panels_on_stage(database_url: str, folder: Path) -> Generator[Prometheus, None, None]:
    """A Prometheus that has seen everything there is to be seen."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    with ExitStack() as stack:
        provider = stack.enter_context(Simulator())
        instance = stack.enter_context(dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}))
        location = build_location(
            database_url,
            corpus,
            instance,
            model=_MODEL.format(dimensions=provider.dimensions),
            api_base=provider.api_base,
            api_key="a-key",
            database_disk_gigabytes=4.0,
            retry_ladder_seconds=(1.0,),
            throttle_patience_seconds=8.0,
        )
        run(database_url, lambda db: write_history(db, "docs", days=60, documents_a_day=900, model="openai/simulated"))
        scraped = stack.enter_context(exporter(folder, _environment(location)))
        asked = stack.enter_context(prometheus(folder, exporter=scraped, alertmanager=free_port(), faster=FASTER))
        _play(location, provider)
        yield asked


def _environment(location: CodeLocation) -> dict[str, str]:
    url = location.settings.database_url.get_secret_value()
    file = str(location.settings.collections_file)
    return {**os.environ, "EMBEDDING_ASSETS_DATABASE_URL": url, "EMBEDDING_ASSETS_COLLECTIONS_FILE": file}


def _play(location: CodeLocation, provider: Simulator) -> None:
    provider.fault(FaultKind.DELAY, seconds=0.2)
    _write(location, range(_DOCUMENTS), "as it was")
    _run(location, "docs__sync_sources")
    _embed(location)
    _index(location)
    provider.fault(FaultKind.NAN, marker="vector of nothing")
    provider.fault(FaultKind.CONTEXT_TOO_LONG, marker="longer than all others")
    provider.fault(FaultKind.STATUS, status=429, retry_after="1", times=2)
    provider.fault(FaultKind.STATUS, status=503, times=2)
    for turn in range(_ROUNDS):
        _write(location, range(turn * 10, turn * 10 + 10), f"changed {turn}")
        _write(location, [200 + turn], "a vector of nothing")
        _write(location, [300 + turn], "longer than all others")
        _run(location, "docs__sync_sources")
        _embed(location)
        if turn == 1:
            location.break_a_promise()
        time.sleep(1.5)
        retry_tick(location.instance, location.workbenches, "docs")
        _run(location, "docs__reprocess_failed_documents")
    for name in ("check_stored_data", "capacity_forecast", "maintain_index"):
        _run(location, f"docs__{name}")
    _write(location, range(30), "left in the queue")
    _run(location, "docs__sync_sources")
    _embed(location)
    time.sleep(_SETTLE_SECONDS)


def _write(location: CodeLocation, numbers: Any, words: str) -> None:
    for number in numbers:
        text = f"# {number}\n\n{words} at {time.time()}\n\n{paragraph(number, 0)}"
        (location.corpus / f"{number:03}.md").write_text(text, encoding="utf-8")


def _run(location: CodeLocation, job: str) -> None:
    location.run_job(job, raise_on_error=False)


def _embed(location: CodeLocation) -> None:
    location.embed(retrack=False, raise_on_error=False)


def _index(location: CodeLocation) -> None:
    """Built though there is little to search, so that its size is seen."""

    async def build() -> None:
        async with open_workbench(location.settings, "docs", run_id="panels") as bench:
            await ensure_index(bench, at_least_rows=1)

    try:
        asyncio.run(build())
    except EmbeddingAssetsError as error:
        raise AssertionError(str(error)) from error
