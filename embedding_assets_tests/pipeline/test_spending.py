"""Budgets in a run: what cannot be paid for is given back, no document is to blame, and the next period goes on."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb

from embedding_assets.domain.failures import ClassifiedError, ErrorType
from embedding_assets.domain.limits import WaitKind
from embedding_assets.pipeline.repair import repair_vectors
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import rate_limiter, work_queue
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import on_bench_and_provider, sync_and_run, write_documents
from embedding_assets_tests.support.circuits import all_circuits
from embedding_assets_tests.support.failed import attempts_recorded


async def _budgeted(bench: Workbench, budgets: Mapping[str, float], *, max_inputs: int = 4) -> Workbench:
    async with bench.db.transaction() as tx:
        await tx.execute("UPDATE embedding_assets.collections SET budgets = %s", [Jsonb(dict(budgets))])
    caps = replace(bench.target.caps, max_inputs=max_inputs)
    return replace(bench, target=replace(bench.target, budgeted=True, caps=caps))


async def _spent(bench: Workbench) -> dict[str, float]:
    async with bench.db.transaction() as tx:
        return {use.unit: use.used for use in await rate_limiter.budget_use(tx)}


def test_a_run_ends_well_when_its_budget_is_used_up_and_everything_else_waits(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 30, paragraphs=1)

    async def body(bench: Workbench, provider: Simulator) -> None:
        outcome = await sync_and_run(await _budgeted(bench, {"max_tokens_per_day": 400}))
        assert outcome.stopped_by is not None
        assert (outcome.stopped_by.kind, outcome.total.failed) == (WaitKind.BUDGET, 0)
        assert 0 < outcome.total.published < 30
        assert provider.counters().tokens == (await _spent(bench))["tokens"] <= 400
        async with bench.db.transaction() as tx:
            waiting = await work_queue.queue_depth(tx)
        assert [(depth.state, depth.documents) for depth in waiting] == [("waiting", 30 - outcome.total.published)]
        assert (await attempts_recorded(bench), await all_circuits(bench)) == (0, [])
        async with bench.db.transaction() as tx:
            await tx.execute("UPDATE embedding_assets.budgets SET starts_on = starts_on - 1")
            await tx.execute("UPDATE embedding_assets.collections SET budgets = '{\"max_tokens_per_day\": 5000}'")
        assert (await sync_and_run(bench)).total.published == 30 - outcome.total.published

    on_bench_and_provider(database_url, tmp_path, body)


def test_an_unknown_price_counts_as_the_configured_one_and_never_as_nothing(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 6, paragraphs=1)

    async def body(bench: Workbench, provider: Simulator) -> None:
        budgeted = await _budgeted(bench, {"max_usd_per_month": 100})
        pace = replace(budgeted.pace, unknown_usd_per_million_tokens=50.0)
        await sync_and_run(replace(budgeted, pace=pace))
        assert (await _spent(bench))["usd"] == pytest.approx(provider.counters().tokens * 50 / 1e6)

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_request_the_provider_refused_costs_nothing(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 4, paragraphs=1)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.STATUS, status=503, times=1)
        await sync_and_run(await _budgeted(bench, {"max_tokens_per_day": 100_000}))
        answered = provider.counters().tokens / provider.counters().requests * provider.counters().statuses["200"]
        assert (await _spent(bench))["tokens"] == answered

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_repair_stops_with_one_sentence_when_the_budget_is_used_up(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 6, paragraphs=1)

    async def body(bench: Workbench, _: Simulator) -> None:
        await sync_and_run(bench)
        async with bench.db.transaction() as tx:
            await tx.execute(f"DELETE FROM embedding_assets.{bench.target.table.name}".encode())
        with pytest.raises(ClassifiedError, match="budget max_tokens_per_day of collection docs is used up") as caught:
            await repair_vectors(await _budgeted(bench, {"max_tokens_per_day": 1}), range(16))
        assert caught.value.error_type is ErrorType.BUDGET_REACHED
        assert await all_circuits(bench) == []

    on_bench_and_provider(database_url, tmp_path, body)
