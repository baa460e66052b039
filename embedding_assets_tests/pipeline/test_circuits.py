"""A provider's failure is met once, stops every worker, charges nobody, and is over when a probe passes."""

from dataclasses import replace
from pathlib import Path

import pytest

from embedding_assets.domain.circuits import CircuitOpen
from embedding_assets.domain.failures import ClassifiedError, ErrorType, ProviderError
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.repair import repair_vectors
from embedding_assets.pipeline.sync import sync_source
from embedding_assets.pipeline.workbench import LimitName, Workbench
from embedding_assets.store import rate_limiter
from embedding_assets.store.rate_limiter import LimitSettings
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import on_bench_and_provider, write_documents
from embedding_assets_tests.support.circuits import all_circuits, meet_a_failure, travel, waiting
from embedding_assets_tests.support.failed import attempts_recorded
from embedding_assets_tests.support.published import queue_is_empty

_MODEL = "openai/simulated"


@pytest.mark.parametrize(
    ("status", "code", "reason", "scope"),
    [
        (503, None, "provider_unavailable", _MODEL),
        (401, "invalid_api_key", "credentials_rejected", _MODEL),
        (429, "insufficient_quota", "budget_reached", _MODEL),
        (404, "model_not_found", "unknown_model", f"{_MODEL} of docs"),
    ],
)
def test_a_failure_that_is_nobodys_document_opens_the_circuit_when_everything_is_given_back(
    database_url: str, tmp_path: Path, status: int, code: str | None, reason: str, scope: str
) -> None:
    write_documents(tmp_path, 5)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await meet_a_failure(bench, provider, status=status, code=code)
        [circuit] = await all_circuits(bench)
        assert (circuit.provider, circuit.reason, circuit.probes) == (scope, reason, 0)
        assert 0 < circuit.probe_in_seconds <= 30
        assert await waiting(bench) == {"waiting": 5}

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_run_that_starts_before_the_probe_is_due_sends_nothing_and_says_since_when(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 5)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await meet_a_failure(bench, provider, status=401)
        provider.reset()
        await travel(bench, 20)
        with pytest.raises(
            CircuitOpen, match=r"EMBEDDING_ASSETS_API_KEY.* since 20.* UTC, .*: it is probed in "
        ) as told:
            await EmbeddingIngestionPipeline(bench).run()
        assert told.value.error_type is ErrorType.CREDENTIALS_REJECTED
        assert provider.counters().requests == 0

    on_bench_and_provider(database_url, tmp_path, body)


def test_an_hour_of_a_provider_that_is_down_costs_it_a_probe_now_and_then_and_no_document_an_attempt(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 12)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await meet_a_failure(bench, provider)
        opening = provider.counters().requests
        for _ in range(60):
            await travel(bench, 60)
            with pytest.raises(CircuitOpen):
                await EmbeddingIngestionPipeline(bench).run()
        # 14 by the schedule; a machine that needs a minute for this loop sees one more.
        assert 10 <= provider.counters().requests - opening <= 15
        [circuit] = await all_circuits(bench)
        assert circuit.open_seconds > 3600
        assert (await waiting(bench), await attempts_recorded(bench)) == ({"waiting": 12}, 0)

        provider.reset()
        await travel(bench, 300)
        outcome = await EmbeddingIngestionPipeline(bench).run()
        assert (outcome.total.published, await all_circuits(bench)) == (12, [])
        assert await queue_is_empty(bench)

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_run_by_hand_probes_before_the_time_and_goes_on(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 5)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await meet_a_failure(bench, provider)
        provider.reset()
        outcome = await EmbeddingIngestionPipeline(bench).run(probe_now=True)
        assert (outcome.total.published, await all_circuits(bench)) == (5, [])

    on_bench_and_provider(database_url, tmp_path, body)


@pytest.mark.parametrize(
    ("status", "scope", "says"),
    [(401, _MODEL, "EMBEDDING_ASSETS_API_KEY"), (404, f"{_MODEL} of docs", "does not serve the model")],
)
def test_a_probe_that_fails_otherwise_tells_what_it_met_and_keeps_since_when(
    database_url: str, tmp_path: Path, status: int, scope: str, says: str
) -> None:
    write_documents(tmp_path, 2)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await meet_a_failure(bench, provider)
        provider.reset()
        provider.fault(FaultKind.STATUS, status=status)
        await travel(bench, 600)
        with pytest.raises(CircuitOpen, match=rf"{says}.*; nobody claims for {scope} .* UTC, 10 min ago: it is probed"):
            await EmbeddingIngestionPipeline(bench).run()
        assert [(circuit.provider, circuit.probes) for circuit in await all_circuits(bench)] == [(scope, 1)]

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_probe_is_entered_in_the_limit_like_any_request(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 2)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await meet_a_failure(bench, provider)
        await travel(bench, 31)
        limited = await _limited(bench, requests=1)
        opening = provider.counters().requests
        with pytest.raises(CircuitOpen):
            await EmbeddingIngestionPipeline(limited).run()
        async with bench.db.transaction() as tx:
            [use] = await rate_limiter.limit_use(tx)
        assert use.own == provider.counters().requests - opening == 1
        impatient = replace(limited, pace=replace(limited.pace, throttle_hold=0))
        with pytest.raises(CircuitOpen, match=r"the probe was not sent: everybody together has used the limit's"):
            await EmbeddingIngestionPipeline(impatient).run(probe_now=True)
        assert provider.counters().requests - opening == 1

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_probe_that_is_throttled_leaves_the_circuit_open_and_is_not_sent_again(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 2)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await meet_a_failure(bench, provider)
        provider.reset()
        provider.fault(FaultKind.STATUS, status=429, retry_after="0.1")
        await travel(bench, 31)
        with pytest.raises(CircuitOpen):
            await EmbeddingIngestionPipeline(bench).run()
        assert provider.counters().requests == 1
        assert [circuit.reason for circuit in await all_circuits(bench)] == ["provider_unavailable"]

    on_bench_and_provider(database_url, tmp_path, body)


def test_throttling_opens_no_circuit(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 2)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.STATUS, status=429, retry_after="0.1")
        await sync_source(bench)
        pace = replace(bench.pace, max_run_seconds=0.3, finish_seconds=0.3)
        await EmbeddingIngestionPipeline(replace(bench, pace=pace)).run()
        assert await all_circuits(bench) == []

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_circuit_that_cannot_be_written_hides_no_failure(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 2)

    async def body(bench: Workbench, provider: Simulator) -> None:
        async with bench.db.transaction() as tx:
            await tx.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'"
            )
            await tx.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON embedding_assets.circuits EXECUTE FUNCTION refuse()"
            )
        provider.fault(FaultKind.STATUS, status=401)
        await sync_source(bench)
        with pytest.raises(ClassifiedError) as raised:
            await EmbeddingIngestionPipeline(bench).run()
        assert raised.value.error_type is ErrorType.CREDENTIALS_REJECTED
        assert await waiting(bench) == {"waiting": 2}

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_repair_meets_the_circuit_too(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 2)

    async def body(bench: Workbench, provider: Simulator) -> None:
        await sync_source(bench)
        await EmbeddingIngestionPipeline(bench).run()
        async with bench.db.transaction() as tx:
            await tx.execute(f"DELETE FROM embedding_assets.{bench.target.table.name}".encode())
        provider.fault(FaultKind.STATUS, status=401)
        with pytest.raises(ProviderError):
            await repair_vectors(bench, range(16))
        requests = provider.counters().requests
        with pytest.raises(CircuitOpen):
            await repair_vectors(bench, range(16))
        assert provider.counters().requests - requests == 1
        provider.reset()
        assert (await repair_vectors(bench, range(16))).repaired == 6
        assert await all_circuits(bench) == []

    on_bench_and_provider(database_url, tmp_path, body)


async def _limited(bench: Workbench, *, requests: int) -> Workbench:
    async with bench.db.transaction() as tx:
        await rate_limiter.apply(tx, LimitSettings("key", "us", 1.0, requests, None, None, "own", 0))
    return replace(bench, target=replace(bench.target, limit=LimitName("key", "us", 100)))
