"""The demo's Dagster run: the collection's own job, over all partitions, in a process of its own, watched from the database.

Not here: what the demo does before and after (demo).
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embedding_assets.cli.dagster_home import DagsterHome
from embedding_assets.cli.progress import Progress
from embedding_assets.cli.rendering import note, visible
from embedding_assets.domain.documents import SHARDS, shard_name
from embedding_assets.domain.failures import EmbeddingAssetsError

if TYPE_CHECKING:
    from embedding_assets.store.dagster_storage import RecordedNumbers

RUN_TAG = "embedding_assets/demo"
_LOOK_SECONDS = 0.5
# A run told to stop gives its claims back first.
_STOP_SECONDS = 30.0
_LAST_LINES = 15
# A killed demo keeps its documents this long; shorter than the default because somebody is looking.
_LEASE, _LEASE_SECONDS = "EMBEDDING_ASSETS_LEASE_SECONDS", "15"


class RunFailed(EmbeddingAssetsError):
    """The Dagster run did not succeed; the message names its log."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What the run recorded in Dagster. `embedded` chunks were sent to the model, `reused` had their vector already."""

    documents: int
    unchanged: int
    deleted: int
    failed: int
    chunks: int
    embedded: int
    reused: int
    seconds: float

    @property
    def documents_per_second(self) -> float:
        """While processing: without the start of the process."""
        return self.documents / self.seconds if self.seconds else 0.0


def job_of(collection: str) -> str:
    """The job's name, as defs/names has it."""
    return f"{collection}__embed_documents"


def run_config(collection: str) -> dict[str, object]:
    """The queue only: the source was polled just before."""
    return {"ops": {f"{collection}__documents": {"config": {"retrack": False}}}}


async def execute(
    home: DagsterHome, collection: str, token: str, remaining: Callable[[], Awaitable[int]], shown: Progress
) -> None:
    """Run the job to its end, showing progress; `token` is the value of its tag, `remaining` counts the queue.

    Raises:
        RunFailed: it ended otherwise than in success.
    """
    log_path = home.logs / "demo-run.log"
    config = home.folder / "demo-run.json"
    config.write_text(json.dumps(run_config(collection)), encoding="utf-8")
    process = _start(_argv(collection, token, config), home, log_path)
    try:
        await _watch(process, remaining, shown)
    finally:
        _end(process)
    if process.returncode != 0:
        for line in _last_lines(log_path):
            note(visible(line))
        raise RunFailed(f"the Dagster run failed; above is the end of {log_path}")


def summarise(recorded: "Sequence[RecordedNumbers]") -> RunSummary:
    """Add up what the shards recorded; the seconds are the run's, which every shard repeats."""
    sums: Counter[tuple[str, str]] = Counter()
    for one in recorded:
        stage = one.asset.rpartition("/")[2]
        for label, number in one.numbers.items():
            sums[stage, label] += round(number) if number.is_integer() else 0
    seconds = max((one.numbers.get("run_seconds", 0.0) for one in recorded), default=0.0)
    return RunSummary(
        documents=sums["raw_documents", "documents"],
        unchanged=sums["raw_documents", "unchanged"],
        deleted=sums["raw_documents", "deleted"],
        failed=sums["raw_documents", "failed"],
        chunks=sums["chunks", "chunks"],
        embedded=sums["embeddings", "embedded"],
        reused=sums["chunks", "reused"],
        seconds=seconds,
    )


def _argv(collection: str, token: str, config: Path) -> list[str]:
    tags = {
        "dagster/asset_partition_range_start": shard_name(0),
        "dagster/asset_partition_range_end": shard_name(SHARDS - 1),
        RUN_TAG: token,
    }
    job = ["-j", job_of(collection), "--tags", json.dumps(tags), "-c", str(config)]
    return [sys.executable, "-m", "dagster", "job", "execute", "-m", "embedding_assets.definitions", *job]


def _start(argv: Sequence[str], home: DagsterHome, log_path: Path) -> "subprocess.Popen[bytes]":
    """In a session of its own: Ctrl-C reaches us alone, and we end it in order."""
    with log_path.open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own argv
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={_LEASE: _LEASE_SECONDS, **home.environment},
            start_new_session=True,
        )


async def _watch(process: "subprocess.Popen[bytes]", remaining: Callable[[], Awaitable[int]], shown: Progress) -> None:
    import anyio  # noqa: PLC0415 - 0.1 s that --help need not pay

    total = await remaining()
    while process.poll() is None:
        left = await remaining()
        total = max(total, left)
        shown.show(total - left, total)
        await anyio.sleep(_LOOK_SECONDS)
    shown.show(total - await remaining(), total)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Only after Ctrl-C or an error of ours does it still run here."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last_lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
