"""One scenario on stage: a database of its own, the provider, the neighbour and the workers, each in a process of its own.

Not here: how long it plays (measuring), what it is judged by (verdict).
"""

import asyncio
import socket
import tempfile
import time
import urllib.error
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.work import Lane
from embedding_assets.local import start_embedded, stop_embedded
from embedding_assets.pipeline.workbench import Target
from embedding_assets_tests.simulator import FaultKind, SimulatorClient
from embedding_assets_tests.simulator.server import SimulatorServer
from embedding_assets_tests.soak.database import prepare, prepare_other
from embedding_assets_tests.soak.neighbour import take
from embedding_assets_tests.soak.processes import Troupe, troupe
from embedding_assets_tests.soak.producer import make_changes
from embedding_assets_tests.soak.scenarios import OTHER_DOCUMENTS, WINDOW_SECONDS, Scenario
from embedding_assets_tests.soak.worker import work
from embedding_assets_tests.support.benches import DIMENSIONS

# What a reply takes, in seconds.
_QUICKEST, _SLOWEST = 0.005, 0.3
_START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A running scenario. `shards` has each worker's."""

    scenario: Scenario
    documents: int
    database_url: str
    provider: SimulatorClient
    shards: Sequence[Sequence[int]]
    processes: Troupe


@contextmanager
def on_stage(scenario: Scenario, *, workers: int, documents: int, lane: Lane) -> Generator[Scene, None, None]:
    """Everything started, and stopped at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="embedding-assets-soak-") as folder:
        try:
            url = start_embedded(Path(folder)).database_url
            changes = Path(folder) / "changes"
            changes.mkdir()
            target = asyncio.run(prepare(url, scenario, documents, lane))
            # Of the collection whose documents change: the same one, or another of few documents.
            changing = asyncio.run(prepare_other(url, target)) if scenario.apart else target
            with troupe() as processes:
                provider = _start_provider(processes, scenario)
                shards = [range(SHARDS)[worker::workers] for worker in range(workers)]
                _start_workers(
                    processes, url, provider, target, shards, _unchanged(changes) if scenario.apart else changes
                )
                if scenario.apart:
                    _start_workers(processes, url, provider, changing, [range(SHARDS)], changes)
                if scenario.neighbour_per_minute:
                    rate = scenario.neighbour_per_minute
                    processes.start("neighbour", take, url, provider.api_base, rate)
                if rate := scenario.live_per_minute:
                    many = OTHER_DOCUMENTS if scenario.apart else documents
                    processes.start("producer", make_changes, url, changing.collection_id, changes, many, rate)
                yield Scene(scenario, documents, url, provider, shards, processes)
        finally:
            stop_embedded(Path(folder))


def _start_workers(
    processes: Troupe,
    url: str,
    provider: SimulatorClient,
    target: Target,
    shards: Sequence[Sequence[int]],
    changes: Path,
) -> None:
    for worker, its in enumerate(shards):
        name = f"{target.name} worker {worker}"
        processes.start(name, work, url, provider.api_base, target, name, its, changes)


def _unchanged(changes: Path) -> Path:
    """A folder without any change."""
    unchanged = changes.with_name("unchanged")
    unchanged.mkdir()
    return unchanged


def _start_provider(processes: Troupe, scenario: Scenario) -> SimulatorClient:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    processes.start("provider", _provide, port)
    provider = SimulatorClient(f"http://127.0.0.1:{port}")
    _wait_for(provider)
    if scenario.limited:
        provider.limit(requests=scenario.provider_per_minute, window_seconds=WINDOW_SECONDS)
    provider.fault(FaultKind.DELAY, seconds=_QUICKEST, seconds_max=_SLOWEST)
    return provider


def _provide(port: int) -> None:
    SimulatorServer(port, DIMENSIONS).run()


def _wait_for(provider: SimulatorClient) -> None:
    """The first process pays for the imports of all."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            provider.counters()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
