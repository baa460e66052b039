"""What the doctor makes of facts."""

from datetime import datetime, timedelta, timezone

import pytest

from embedding_assets.cli.findings import (
    Verdict,
    judge_circuit,
    judge_connections,
    judge_heartbeats,
    judge_limit,
    judge_price,
    judge_queue,
    judge_rights,
    judge_server,
    judge_variables,
)
from embedding_assets.domain.circuits import OpenCircuit
from embedding_assets.store.inspection import ServerFacts
from embedding_assets.store.work_queue import QueueDepth

_NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)


def _server(*, version: str = "17.2 (Debian)", vector: str | None = "0.8.0", connections: int = 10) -> ServerFacts:
    return ServerFacts(version, vector, "writer", 100, connections)


@pytest.mark.parametrize(
    ("version", "vector", "verdicts"),
    [
        ("17.2 (Debian)", "0.8.0", ["ok", "ok"]),
        ("14.1", "0.10.0", ["ok", "ok"]),
        ("13.9", "0.8.0", ["fail", "ok"]),
        ("18beta1", "0.8", ["fail", "ok"]),
        ("17.2", "0.7.4", ["ok", "fail"]),
        ("17.2", None, ["ok", "fail"]),
    ],
)
def test_versions_are_compared_as_numbers(version: str, vector: str | None, verdicts: list[str]) -> None:
    assert [one.verdict.value for one in judge_server(_server(version=version, vector=vector))] == verdicts


def test_a_variable_that_nothing_reads_is_a_warning() -> None:
    near, far = judge_variables({"EMBEDDING_ASSETS_HOMES": "EMBEDDING_ASSETS_HOME", "EMBEDDING_ASSETS_XYZ": None})
    assert (near.verdict, near.advice) == (Verdict.WARN, "did you mean EMBEDDING_ASSETS_HOME?")
    assert (far.verdict, far.advice) == (Verdict.WARN, "unset it")


@pytest.mark.parametrize(("connections", "verdict"), [(10, Verdict.OK), (80, Verdict.WARN), (95, Verdict.FAIL)])
def test_connections_are_held_against_one_and_three_more_pools(connections: int, verdict: Verdict) -> None:
    assert judge_connections(_server(connections=connections), 8).verdict is verdict


def test_missing_rights_name_the_grant() -> None:
    assert judge_rights([], "writer").verdict is Verdict.OK
    found = judge_rights(["chunks", "documents"], "writer")
    assert found.verdict is Verdict.FAIL
    assert "GRANT" in found.advice


@pytest.mark.parametrize(
    ("lane", "seconds", "verdict"),
    [("live", 1700.0, Verdict.OK), ("live", 1900.0, Verdict.WARN), ("backfill", 99_999.0, Verdict.OK)],
)
def test_half_of_the_promise_is_where_the_queue_is_late(lane: str, seconds: float, verdict: Verdict) -> None:
    depth = QueueDepth("docs", lane, "waiting", 3, seconds)
    assert judge_queue([depth], "docs", 3600.0).verdict is verdict
    assert judge_queue([depth], "other", 3600.0).found == "empty"


def test_a_daemon_that_is_away_is_a_warning() -> None:
    alive = {"SCHEDULER": _NOW - timedelta(seconds=20), "SENSOR": _NOW - timedelta(days=1)}
    assert judge_heartbeats(alive, _NOW).verdict is Verdict.OK
    for beats in (None, {}, {"SCHEDULER": _NOW - timedelta(hours=1)}):
        assert judge_heartbeats(beats, _NOW).verdict is Verdict.WARN


def test_an_open_circuit_is_a_warning_with_its_sentence_and_the_command_that_probes_it() -> None:
    circuit = OpenCircuit("openai/small", "provider_unavailable", "it answered 503", _NOW, 60.0, 25.0, 1)
    found = judge_circuit("docs: circuit", circuit, "docs")
    assert (found.verdict, found.found) == (Verdict.WARN, circuit.sentence)
    assert found.advice.endswith("embedding-assets run docs")
    assert judge_circuit("docs: circuit", None, "docs").verdict is Verdict.OK


def test_an_unknown_price_and_a_missing_limit_are_warnings_but_not_for_the_local_model() -> None:
    assert judge_price("price", model="m", local=False, configured=None, cost_usd=None).verdict is Verdict.WARN
    for known in ({"configured": 0.02, "cost_usd": None}, {"configured": None, "cost_usd": 0.0}):
        assert judge_price("price", model="m", local=False, **known).verdict is Verdict.OK
    assert judge_price("price", model="m", local=True, configured=None, cost_usd=None).verdict is Verdict.OK
    assert judge_limit("limit", limit=None, local=False).verdict is Verdict.WARN
    assert judge_limit("limit", limit="vertex/embeddings", local=False).verdict is Verdict.OK
    assert judge_limit("limit", limit=None, local=True).verdict is Verdict.OK
