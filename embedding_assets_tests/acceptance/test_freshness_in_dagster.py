"""Dagster's own word on freshness: idle is fresh, half a collection stuck is not, however much the other half publishes.

Real webserver, daemon and runs. An hour is three minutes here: the policy and the heartbeat follow the promise.
"""

import json
import socket
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from embedding_assets.cli.dagster_home import with_psycopg2
from embedding_assets.domain.documents import shard_of
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import paragraph
from embedding_assets_tests.support.dagster_process import DagsterProcesses, instance_of_up, prepare

_PROMISE = 180.0
_TWO_HOURS = 2 * _PROMISE
_DOCUMENTS = [f"{number:02}.md" for number in range(40)]
_STUCK = [key for key in _DOCUMENTS if shard_of(key) < 8]
_OTHERS = [key for key in _DOCUMENTS if shard_of(key) >= 8]
_VARIABLES = {
    "EMBEDDING_ASSETS_FRESHNESS_SECONDS": str(int(_PROMISE)),
    "EMBEDDING_ASSETS_POLL_INTERVAL_SECONDS": "60",
}
_ASKED = '{ assetNodeOrError(assetKey: {path: ["docs", "%s"]}) { ... on AssetNode { freshnessStatusInfo { freshnessStatus } } } }'
# The policy's states, as Dagster's GraphQL calls them.
_WORDS = {"HEALTHY": "PASS", "WARNING": "WARN", "DEGRADED": "FAIL"}
_HELD = """
    UPDATE embedding_assets.shard_leases SET owner = 'a run that hangs', expires_at = now() + interval '1 day' WHERE shard < 8
"""
_LET_GO = "UPDATE embedding_assets.shard_leases SET owner = NULL, expires_at = NULL WHERE owner = 'a run that hangs'"
_EVENTS = "SELECT count(*) FROM event_logs WHERE dagster_event_type = %s AND asset_key LIKE %s"


@dataclass(frozen=True, slots=True)
class _Scene:
    dagster: DagsterProcesses
    url: str
    ours: str
    dagsters: str
    began: float = field(default_factory=time.monotonic)

    def status(self, asset: str = "embeddings") -> str:
        """As Dagster's page shows it."""
        body = json.dumps({"query": _ASKED % asset}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            info = json.loads(response.read())["data"]["assetNodeOrError"].get("freshnessStatusInfo")
        return str(_WORDS.get(info["freshnessStatus"], info["freshnessStatus"])) if info else "UNKNOWN"

    def say(self, what: str) -> None:
        """For whoever reads the output of `pytest -s`."""
        print(f"{time.monotonic() - self.began:6.0f} s  {self.status():<8} {what}", flush=True)

    def watch(self, seconds: float, meanwhile: Callable[[], object] = lambda: None) -> set[str]:
        """Every status that was seen in this time."""
        seen: set[str] = set()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            seen.add(self.status())
            meanwhile()
            time.sleep(5)
        return seen

    def wait_for(self, status: str, seconds: float, meanwhile: Callable[[], object] = lambda: None) -> float:
        """How long it took.

        Raises:
            AssertionError: it took longer.
        """
        began = time.monotonic()
        while (now := self.status()) != status:
            assert time.monotonic() - began < seconds, f"{now}, not {status}: {self.dagster.log('daemon')[-3000:]}"
            meanwhile()
            time.sleep(5)
        return time.monotonic() - began

    def edit(self, keys: list[str]) -> None:
        """Change these documents, and have the source listed at once."""
        for key in keys:
            text = f"# {key}\n\nAs of {time.time()}.\n\n{paragraph(int(key[:2]), 0)}"
            (self.dagster.corpus / key).write_text(text, encoding="utf-8")
        self.dagster.ours("sync")

    def published(self, keys: list[str]) -> int:
        """Versions of these that were ever published: each has a fence of its own."""
        with psycopg.connect(self.ours) as connection:
            query = "SELECT coalesce(sum(version), 0)::bigint FROM embedding_assets.publications WHERE document_key = ANY(%s)"
            row = connection.execute(query, [keys]).fetchone()
        return row[0] if row else 0

    def change(self, statement: str) -> None:
        """On our own tables."""
        with psycopg.connect(self.ours, autocommit=True) as connection:
            connection.execute(statement.encode())

    def events(self, kind: str) -> int:
        """Materializations or observations of `embeddings` in Dagster's log."""
        with psycopg.connect(self.dagsters) as connection:
            row = connection.execute(_EVENTS, [kind, "%embeddings%"]).fetchone()
        return row[0] if row else 0


@pytest.mark.slow
@pytest.mark.long
def test_idle_is_fresh_half_a_collection_stuck_is_not_and_recovery_is_seen(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    variables = {**_VARIABLES, "EMBEDDING_ASSETS_DAGSTER_URL": with_psycopg2(empty_database_url)}
    documents = [(key, paragraph(int(key[:2]), 0)) for key in _DOCUMENTS]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Simulator() as provider:
        dagster = prepare(database_url, tmp_path, provider, documents, instance=instance_of_up(), variables=variables)
        dagster.ours("sync")
        workspace = ("-w", str(dagster.workspace))
        with (
            dagster.running("daemon", "dagster._daemon", "run", *workspace),
            dagster.running("webserver", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), *workspace),
        ):
            scene = _Scene(dagster, f"http://127.0.0.1:{port}", database_url, empty_database_url)
            _begin(scene)
            _stay_idle(scene)
            _get_stuck(scene)
            _recover(scene)


def _begin(scene: _Scene) -> None:
    deadline = time.monotonic() + 240
    while True:
        try:
            if scene.status() == "PASS":
                break
        except OSError:
            pass
        assert time.monotonic() < deadline, scene.dagster.log("daemon")[-3000:]
        time.sleep(2)
    scene.say("everything is published")


def _stay_idle(scene: _Scene) -> None:
    seen = scene.watch(_TWO_HOURS)
    scene.say(f"idle for two promises: {sorted(seen)}, {scene.events('ASSET_MATERIALIZATION')} materializations")
    assert seen == {"PASS"}


def _get_stuck(scene: _Scene) -> None:
    scene.change(_HELD)
    scene.edit(_DOCUMENTS)
    stuck, others = scene.published(_STUCK), scene.published(_OTHERS)
    scene.say(f"{len(_STUCK)} documents are stuck, {len(_OTHERS)} go on")
    edited = [time.monotonic()]

    def edit_others() -> None:
        if time.monotonic() - edited[-1] > 40:
            scene.edit(_OTHERS[:3])
            edited.append(time.monotonic())

    took = scene.wait_for("FAIL", 3.5 * _PROMISE, edit_others)
    scene.say(f"FAIL {took:.0f} s after the change, of a promise of {_PROMISE:.0f} s")
    observed = scene.events("ASSET_OBSERVATION")
    assert scene.watch(60, edit_others) == {"FAIL"}
    scene.say(f"the others published meanwhile; {observed} observations")
    assert scene.published(_STUCK) == stuck
    assert scene.published(_OTHERS) > others
    assert observed > 0


def _recover(scene: _Scene) -> None:
    scene.change(_LET_GO)
    took = scene.wait_for("PASS", 240)
    scene.say(f"PASS {took:.0f} s after the hung run let go")
    with psycopg.connect(scene.ours) as connection:
        assert connection.execute("SELECT count(*) FROM embedding_assets.obligations").fetchone() == (0,)
