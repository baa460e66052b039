"""A builder killed half-way: the next one continues where its vectors are, and search never noticed."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import write_documents
from embedding_assets_tests.support.builder import build
from embedding_assets_tests.support.database import run
from embedding_assets_tests.support.model_changes import NEW, changing, shown

_DOCUMENTS = 60
_INPUTS = 3 * _DOCUMENTS
_MAX_INPUTS = 4


def test_a_killed_build_is_finished_by_the_next_which_pays_only_for_what_was_on_its_way(
    database_url: str, tmp_path: Path
) -> None:
    with Simulator() as provider:
        docs = changing(database_url, tmp_path, provider)
        write_documents(docs.folder, _DOCUMENTS)
        docs.apply()
        docs.run()
        old = docs.apply(NEW, max_inputs=_MAX_INPUTS).applied
        before = run(database_url, shown)
        provider.reset()
        provider.fault(FaultKind.DELAY, seconds=0.05)
        _build_and_kill(database_url, tmp_path, provider, _INPUTS // 2)
        assert run(database_url, shown) == before

        outcome = asyncio.run(build(database_url, tmp_path, provider))
        assert outcome.cut_over
        in_flight = _MAX_INPUTS * docs.settings.embed_concurrency
        assert _INPUTS <= provider.counters().inputs <= _INPUTS + in_flight
        after = run(database_url, shown)
    assert (after.texts, after.model_id != old.model_id) == (before.texts, True)


def _build_and_kill(database_url: str, folder: Path, provider: Simulator, inputs: int) -> None:
    command = [sys.executable, "-m", "embedding_assets_tests.support.builder"]
    builder = subprocess.Popen([*command, database_url, str(folder), provider.base_url])
    try:
        while provider.counters().inputs < inputs:
            assert builder.poll() is None, "the builder ended before it was killed"
            time.sleep(0.005)
    finally:
        builder.kill()
        builder.wait()
