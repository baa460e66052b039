"""The shared limit in the stream: reserved before each request, blocked for everybody by a 429."""

import asyncio
from dataclasses import replace
from pathlib import Path

import anyio

from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.limiting import SharedLimit
from embedding_assets.pipeline.workbench import LimitName, Workbench
from embedding_assets.store import rate_limiter, work_queue
from embedding_assets.store.rate_limiter import LimitSettings
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import on_bench_and_provider, sync_and_run, write_documents


async def _limited(bench: Workbench, *, requests: int | None = None, inputs: int | None = None) -> Workbench:
    async with bench.db.transaction() as tx:
        await rate_limiter.apply(tx, LimitSettings("key", "us", 1.0, requests, inputs, None, "own", 0))
    return replace(bench, target=replace(bench.target, limit=LimitName("key", "us")))


def test_every_request_is_entered_in_the_limit_before_it_is_sent(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 10)

    async def body(bench: Workbench, provider: Simulator) -> None:
        limited = await _limited(bench, requests=1000, inputs=1000)
        await sync_and_run(limited)
        async with bench.db.transaction() as tx:
            used = {use.resource: use.own for use in await rate_limiter.limit_use(tx)}
        assert used == {"requests": provider.counters().requests, "inputs": provider.counters().inputs}

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_429_blocks_the_limit_for_every_worker_and_spends_no_attempt(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 4)

    async def body(bench: Workbench, provider: Simulator) -> None:
        limited = await _limited(bench, requests=1000)
        provider.fault(FaultKind.STATUS, status=429, retry_after="1", times=1)
        outcome = await sync_and_run(limited)
        assert (outcome.total.published, outcome.total.failed) == (4, 0)
        assert outcome.requests.throttled_seconds >= 1
        await SharedLimit(limited).block(0.5)
        assert await SharedLimit(limited).reserve(Lane.LIVE, inputs=1, tokens=1) > 0

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_request_the_limit_refuses_waits_and_is_sent_when_there_is_room(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 4)

    async def body(bench: Workbench, provider: Simulator) -> None:
        limited = await _limited(bench, inputs=100)
        await _on_slots(
            bench,
            b"INSERT INTO embedding_assets.rate_limit_slots "
            b"VALUES ('key', floor(extract(epoch FROM clock_timestamp()) * 10), 'us', 'live', 1, 100, 1)",
        )
        run = asyncio.create_task(sync_and_run(limited))
        await _until_something_is_claimed(bench)
        await asyncio.sleep(0.5)
        assert provider.counters().requests == 0
        await _on_slots(bench, b"DELETE FROM embedding_assets.rate_limit_slots")
        outcome = await run
        assert outcome.total.published == 4
        assert outcome.requests.throttled_seconds > 0

    on_bench_and_provider(database_url, tmp_path, body)


async def _on_slots(bench: Workbench, statement: bytes) -> None:
    async with bench.db.transaction() as tx:
        await tx.execute(statement)


async def _until_something_is_claimed(bench: Workbench) -> None:
    with anyio.fail_after(60):
        while True:
            async with bench.db.transaction() as tx:
                states = {depth.state for depth in await work_queue.queue_depth(tx)}
            if "leased" in states:
                return
            await asyncio.sleep(0.02)
