"""Nothing of ours calls anybody but the database and the provider: every connection and every name looked up is written down.

The program runs in a process of its own, in which Python tells of each (sys.addaudithook) before it is made.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.dagster_process import prepare

pytestmark = pytest.mark.slow

_DOCUMENTS = [(f"{number}.md", f"The document number {number} says something of its own.") for number in range(5)]
_GUARD = """
import atexit, json, sys
seen = set()
def hook(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        seen.add((event, str(arguments[1][0])))
    elif event == "socket.getaddrinfo":
        seen.add((event, str(arguments[0])))
sys.addaudithook(hook)
atexit.register(lambda: print(json.dumps(sorted(seen)), file=open(sys.argv[1], "w")))
"""
_CLI = _GUARD + "from embedding_assets.cli.app import main\nraise SystemExit(main(sys.argv[2:]))"
_RUN = _GUARD + (
    "import dagster as dg\nfrom embedding_assets.definitions import defs\n"
    "tags = {'dagster/asset_partition_range_start': '00', 'dagster/asset_partition_range_end': '15'}\n"
    "with dg.DagsterInstance.get() as instance:\n"
    "    jobs = ('docs__sync_sources', {}), ('docs__embed_documents', tags), ('docs__check_stored_data', {})\n"
    "    assert all(defs().resolve_job_def(j).execute_in_process(instance=instance, tags=t).success for j, t in jobs)\n"
)


def _called(program: str, folder: Path, environment: Mapping[str, str], *arguments: str) -> set[str]:
    """The hosts that the program connected to or asked for, but for those of this machine."""
    file = folder / "called.json"
    command = [sys.executable, "-W", "ignore", "-c", program, str(file), *arguments]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    hosts = {host for _, host in json.loads(file.read_text(encoding="utf-8"))}
    file.unlink()
    assert hosts, "not even the provider was seen: the guard does not work"
    return hosts - {"127.0.0.1", "::1", "localhost"}


def test_runs_in_the_terminal_and_in_dagster_call_the_database_and_the_provider_and_nobody_else(
    database_url: str, tmp_path: Path
) -> None:
    with Simulator() as provider:
        dagster = prepare(database_url, tmp_path, provider, _DOCUMENTS)
        environment = {
            name: value for name, value in dagster.environment.items() if name != "LITELLM_LOCAL_MODEL_COST_MAP"
        }
        (dagster.corpus / "late.md").write_text("A late one.", encoding="utf-8")
        assert _called(_RUN, tmp_path, environment) == set()
        (dagster.corpus / "later.md").write_text("A later one.", encoding="utf-8")
        assert _called(_CLI, tmp_path, environment, "run", "docs") == set()
        assert _called(_CLI, tmp_path, environment, "search", "something of its own") == set()
        assert provider.counters().inputs >= len(_DOCUMENTS) + 3


def test_the_guard_sees_a_call_to_somebody_else(tmp_path: Path) -> None:
    program = _GUARD + (
        "import socket\n"
        "for call in (lambda: socket.getaddrinfo('telemetry.example', 443),\n"
        "             lambda: socket.create_connection(('192.0.2.1', 443), timeout=0.01)):\n"
        "    try:\n        call()\n    except OSError:\n        pass\n"
    )
    assert _called(program, tmp_path, os.environ) == {"telemetry.example", "192.0.2.1"}
