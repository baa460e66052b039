"""The shared limit in the stream: reserved before each request, blocked for everybody by a 429."""

import asyncio
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from embedding_assets.domain.limits import LimitWait, WaitKind
from embedding_assets.domain.packing import PackingCaps
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.ingest import EmbeddingIngestionPipeline
from embedding_assets.pipeline.limiting import NoRoom, SharedLimit
from embedding_assets.pipeline.workbench import LimitName, Workbench
from embedding_assets.store import rate_limiter, shard_leases, work_queue
from embedding_assets.store.rate_limiter import LimitSettings
from embedding_assets.store.work_queue import QueueDepth
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import on_bench_and_provider, sync_and_run, write_documents
from embedding_assets_tests.support.failed import attempts_recorded


async def _limited(
    bench: Workbench, *, requests: int | None = None, inputs: int | None = None, tokens: int | None = None
) -> Workbench:
    async with bench.db.transaction() as tx:
        await rate_limiter.apply(tx, LimitSettings("key", "us", 1.0, requests, inputs, tokens, "own", 0))
    return replace(bench, target=replace(bench.target, limit=LimitName("key", "us", 100)))


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
        assert outcome.requests.throttled_seconds > 0.5
        await SharedLimit(limited, hold_seconds=0).refused(30)
        another = SharedLimit(limited, hold_seconds=10)
        answer = await another.reserve(Lane.LIVE, inputs=1, tokens=1, usd=0)
        assert isinstance(answer, LimitWait)
        with pytest.raises(NoRoom, match="the provider asked to be left alone"):
            await another.hold(answer, 0.0)

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_run_waits_for_the_limit_holding_no_claim_and_drains_when_there_is_room(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 4)

    async def body(bench: Workbench, provider: Simulator) -> None:
        limited = await _limited(bench, inputs=100)
        await _fill(bench, inputs=100)
        run = asyncio.create_task(sync_and_run(limited))
        await _until_the_run_has_its_shards(bench)
        await asyncio.sleep(0.5)
        assert provider.counters().requests == 0
        assert {depth.state for depth in await _depths(bench)} <= {"arrived", "waiting"}
        await _empty(bench)
        outcome = await run
        assert (outcome.total.published, outcome.total.released, outcome.stopped_by) == (4, 0, None)
        assert outcome.requests.throttled_seconds > 0

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_run_whose_patience_ends_leaves_everything_in_the_queue_and_says_why(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 4)

    async def body(bench: Workbench, provider: Simulator) -> None:
        limited = await _limited(bench, requests=100)
        await _fill(bench, requests=100)
        outcome = await sync_and_run(replace(limited, pace=replace(limited.pace, throttle_patience=0.2)))
        assert outcome.stopped_by is not None
        assert outcome.stopped_by.kind is WaitKind.CAPACITY
        assert (outcome.total.settled, provider.counters().requests) == (0, 0)
        assert sum(depth.documents for depth in await _depths(bench)) == 4
        assert await attempts_recorded(bench) == 0

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_run_that_does_not_drain_returns_at_once_when_it_starts_throttled(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 4)

    async def body(bench: Workbench, provider: Simulator) -> None:
        limited = _not_draining(await _limited(bench, requests=100))
        await _fill(bench, requests=100)
        outcome = await sync_and_run(limited)
        assert outcome.stopped_by is not None
        assert (outcome.requests.throttled_seconds, provider.counters().requests) == (0, 0)
        await _empty(bench)
        assert (await EmbeddingIngestionPipeline(limited).run()).total.published == 4

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_run_that_does_not_drain_takes_one_minutes_items_and_leaves_the_rest(
    database_url: str, tmp_path: Path
) -> None:
    write_documents(tmp_path, 40, paragraphs=1)

    async def body(bench: Workbench, provider: Simulator) -> None:
        limited = _not_draining(await _limited(bench, inputs=1000), inputs_per_minute=16)
        outcome = await sync_and_run(limited)
        taken = {shard: tally.published for shard, tally in outcome.tallies.items()}
        assert outcome.total.published == provider.counters().inputs < 40
        assert set(taken.values()) == {1}
        drained = await EmbeddingIngestionPipeline(replace(limited, target=replace(limited.target, requeue=True))).run()
        assert drained.total.published == 40 - outcome.total.published

    on_bench_and_provider(database_url, tmp_path, body)


def test_what_is_claimed_and_cannot_be_sent_is_given_back_with_no_attempt(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 12, paragraphs=1)

    async def body(bench: Workbench, provider: Simulator) -> None:
        # One request of four inputs passes, and what was claimed with it has to go back.
        limited = await _limited(bench, requests=1)
        caps = PackingCaps(max_inputs=4, max_tokens=100_000)
        pace = replace(limited.pace, throttle_hold=0.0, throttle_patience=0.2)
        limited = replace(limited, target=replace(limited.target, caps=caps), pace=pace)
        outcome = await sync_and_run(replace(limited, source=limited.source))
        assert outcome.total.published == provider.counters().inputs
        assert provider.counters().requests == 1
        assert sum(depth.documents for depth in await _depths(bench)) == 12 - outcome.total.published
        assert {depth.state for depth in await _depths(bench)} == {"waiting"}
        assert await attempts_recorded(bench) == 0

    on_bench_and_provider(database_url, tmp_path, body)


def test_the_providers_own_count_corrects_what_was_guessed(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 10)

    async def body(bench: Workbench, provider: Simulator) -> None:
        limited = await _limited(bench, tokens=100_000)
        await sync_and_run(limited)
        async with bench.db.transaction() as tx:
            [use] = await rate_limiter.limit_use(tx)
        assert use.own == provider.counters().tokens

    on_bench_and_provider(database_url, tmp_path, body)


def test_a_provider_without_a_shared_limit_holds_back_the_whole_run(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 30)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.STATUS, status=429, retry_after="1", times=1)
        outcome = await sync_and_run(bench)
        assert (outcome.total.published, outcome.total.failed) == (30, 0)
        assert outcome.requests.throttled_seconds > 0.5
        assert provider.counters().statuses["429"] == 1

    on_bench_and_provider(database_url, tmp_path, body)


def _not_draining(bench: Workbench, *, inputs_per_minute: int = 1000) -> Workbench:
    limit = LimitName("key", "us", inputs_per_minute)
    return replace(bench, target=replace(bench.target, limit=limit, requeue=False))


async def _fill(bench: Workbench, *, requests: int = 1, inputs: int = 1) -> None:
    async with bench.db.transaction() as tx:
        await tx.execute(
            "INSERT INTO embedding_assets.rate_limit_slots "
            "VALUES ('key', floor(extract(epoch FROM clock_timestamp()) * 10), 'us', 'live', %s, %s, 1)",
            [requests, inputs],
        )


async def _empty(bench: Workbench) -> None:
    async with bench.db.transaction() as tx:
        await tx.execute("DELETE FROM embedding_assets.rate_limit_slots")


async def _depths(bench: Workbench) -> list[QueueDepth]:
    async with bench.db.transaction() as tx:
        return await work_queue.queue_depth(tx)


async def _until_the_run_has_its_shards(bench: Workbench) -> None:
    with anyio.fail_after(60):
        while True:
            async with bench.db.transaction() as tx:
                if await shard_leases.runs_alive(tx, bench.target.collection_id):
                    return
            await asyncio.sleep(0.02)


def test_a_use_whose_answer_is_late_is_held_from_when_it_may_have_arrived(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 1, paragraphs=1)

    async def body(bench: Workbench, provider: Simulator) -> None:
        provider.fault(FaultKind.DELAY, seconds=1.0, times=1)
        limited = await _limited(bench, requests=1000)
        await sync_and_run(limited)
        async with bench.db.transaction() as tx:
            cursor = await tx.execute(
                "SELECT (slot / 10.0 - extract(epoch FROM last_used_at))::float8, requests, inputs "
                "FROM embedding_assets.rate_limit_slots, embedding_assets.rate_limits WHERE requests > 0"
            )
            [(later, *used)] = await cursor.fetchall()
        assert 0.8 <= later <= 2.1
        assert used == [1, 1]

    on_bench_and_provider(database_url, tmp_path, body)
