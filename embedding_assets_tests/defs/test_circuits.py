"""An open circuit in Dagster: one failed run with one sentence, ticks that skip with it, a run when a probe is due."""

import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from embedding_assets.defs.ticks import EmbedTick, embed_tick
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import write_documents
from embedding_assets_tests.support.code_location import CodeLocation, build_location

DOCUMENTS = 4
MODEL = '{ name = "openai/simulated", dimensions = 8 }'


@pytest.fixture
def provider() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def location(database_url: str, tmp_path: Path, instance: dg.DagsterInstance, provider: Simulator) -> CodeLocation:
    """Polled; its model is behind the simulator."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_documents(corpus, DOCUMENTS)
    key = SecretStr("a-key")
    location = build_location(database_url, corpus, instance, model=MODEL, api_base=provider.api_base, api_key=key)
    location.sync()
    return location


def test_a_wrong_key_is_one_failed_run_then_skips_with_the_reason_until_a_probe_passes(
    location: CodeLocation, provider: Simulator
) -> None:
    provider.fault(FaultKind.STATUS, status=401, code="invalid_api_key")
    told = failure(scheduled_run(location))
    assert told.startswith("the provider refused the credentials: check EMBEDDING_ASSETS_API_KEY")
    assert "\n" not in told
    assert location.rows("SELECT count(*) FROM embedding_assets.failed_documents") == [(0,)]
    skipped = reason(tick(location))
    assert skipped.startswith(f"documents wait: {told}; nobody claims for openai/simulated since ")
    assert "it is probed in " in skipped

    pass_time(location, 31)
    assert "nobody claims for openai/simulated since " in failure(scheduled_run(location))
    assert re.search(r"it is probed in (1 min|5\d s)$", reason(tick(location)))

    provider.reset()
    pass_time(location, 61)
    assert scheduled_run(location).success
    assert location.rows("SELECT count(*) FROM embedding_assets.publications") == [(DOCUMENTS,)]
    assert location.rows("SELECT count(*) FROM embedding_assets.circuits") == [(0,)]
    assert reason(tick(location)).startswith("nothing is ready")


def test_a_person_who_materializes_does_not_wait_for_the_probes_time(
    location: CodeLocation, provider: Simulator
) -> None:
    provider.fault(FaultKind.STATUS, status=401)
    assert failure(scheduled_run(location))
    provider.reset()
    refused = location.embed(retrack=False, raise_on_error=False)
    assert (refused.success, provider.counters().requests) == (False, 0)
    assert location.embed().success
    assert location.rows("SELECT count(*) FROM embedding_assets.publications") == [(DOCUMENTS,)]


def test_a_probe_that_is_due_starts_one_run_whatever_the_run_groups_and_only_when_work_is_ready(
    location: CodeLocation,
) -> None:
    open_circuit(location, "openai/simulated")
    assert reason(tick(location, run_groups=4)).startswith("documents wait: it answered 503; nobody claims for ")
    pass_time(location, 31)
    assert len(requests(tick(location, run_groups=4))) == 1
    location.rows("DELETE FROM embedding_assets.work_arrivals")
    assert reason(tick(location, run_groups=4)).startswith("nothing is ready")


def test_a_source_that_is_away_skips_too_and_the_poll_that_reads_it_again_ends_it(location: CodeLocation) -> None:
    location.corpus.rename(location.corpus.with_name("elsewhere"))
    assert "mount it" in failure(scheduled_run(location))
    assert "nobody claims for source docs since " in reason(tick(location))
    location.corpus.with_name("elsewhere").rename(location.corpus)
    location.sync()
    assert scheduled_run(location).success


def test_the_circuit_of_another_model_or_source_holds_nothing_up(location: CodeLocation) -> None:
    for scope in ("openai/other", "openai/simulated of tickets", "source tickets"):
        open_circuit(location, scope)
    assert len(requests(tick(location))) == 1


def tick(location: CodeLocation, *, run_groups: int = 1) -> EmbedTick:
    return embed_tick(location.instance, location.workbenches, "docs", run_groups)


def requests(ticked: EmbedTick) -> list[dg.RunRequest]:
    assert isinstance(ticked, list)
    return ticked


def reason(ticked: EmbedTick) -> str:
    assert isinstance(ticked, dg.SkipReason)
    return ticked.skip_message or ""


def scheduled_run(location: CodeLocation) -> dg.ExecuteInProcessResult:
    """The run that the next tick asks for."""
    [request] = requests(tick(location))
    return location.run_job(
        "docs__embed_documents", run_config=request.run_config, tags=request.tags, raise_on_error=False
    )


def failure(result: dg.ExecuteInProcessResult) -> str:
    """The one sentence a run failed with."""
    [event] = [event for event in result.all_events if event.is_step_failure]
    told = event.step_failure_data.user_failure_data
    assert told is not None
    return told.description or ""


def open_circuit(location: CodeLocation, scope: str) -> None:
    location.rows(
        "INSERT INTO embedding_assets.circuits (provider, reason, message, probe_after) "
        "VALUES (%s, 'provider_unavailable', 'it answered 503', now() + interval '30 seconds')",
        scope,
    )


def pass_time(location: CodeLocation, seconds: float) -> None:
    location.rows("UPDATE embedding_assets.circuits SET probe_after = probe_after - make_interval(secs => %s)", seconds)
