"""Who is claimed first: live before backfill, neither starving; shards in turn; a suspect alone."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from embedding_assets.domain.admitted import Admitted
from embedding_assets.domain.documents import shard_of
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.claims import Claims
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import work_queue
from embedding_assets_tests.support.benches import on_bench

ALL = list(range(16))


def _keys(shard: int, count: int, prefix: str = "d") -> list[str]:
    """So many keys of one shard."""
    names = (f"{prefix}{number}" for number in range(100 * count + 1000))
    return [name for name in names if shard_of(name) == shard][:count]


async def _queue(bench: Workbench, keys: list[str], lane: Lane, *, minutes_ago: float = 0) -> None:
    async with bench.db.transaction() as tx:
        await work_queue.enqueue(tx, bench.target.collection_id, [(key, None) for key in keys], lane=lane)
        await work_queue.fold(tx, bench.target.collection_id)
        await tx.execute(
            "UPDATE embedding_assets.work_items SET available_at = available_at - make_interval(secs => 60 * %s) "
            "WHERE document_key = ANY(%s)",
            [minutes_ago, keys],
        )


async def _take(claims: Claims, documents: int, *, backfill: int | None = None) -> list[str]:
    taken = await claims.take(Admitted(documents, documents if backfill is None else backfill))
    return [one.item.document_key for one in taken]


def test_live_changes_are_claimed_before_a_fresh_backfill(database_url: str, tmp_path: Path) -> None:
    async def body(bench: Workbench) -> None:
        backfill, live = [f"b{n}" for n in range(50)], [f"l{n}" for n in range(30)]
        await _queue(bench, backfill, Lane.BACKFILL, minutes_ago=9)
        await _queue(bench, live, Lane.LIVE)
        claims = Claims(bench, ALL)
        assert sorted(await _take(claims, 30)) == sorted(live)
        assert set(await _take(claims, 30)) <= set(backfill)

    on_bench(database_url, tmp_path, body)


def test_one_claim_of_twenty_goes_to_a_backfill_that_waited_ten_minutes_however_much_is_live(
    database_url: str, tmp_path: Path
) -> None:
    async def body(bench: Workbench) -> None:
        await _queue(bench, [f"b{n}" for n in range(50)], Lane.BACKFILL, minutes_ago=11)
        await _queue(bench, [f"l{n}" for n in range(400)], Lane.LIVE)
        for size, takes in ((5, 40), (100, 2)):
            claims = Claims(replace(bench, run_id=f"run-{size}"), ALL)
            taken = [key for _ in range(takes) for key in await _take(claims, size)]
            assert Counter(key[0] for key in taken) == {"l": 190, "b": 10}

    on_bench(database_url, tmp_path, body)


def test_backfill_that_the_limit_has_no_room_for_is_not_owed_a_claim_however_long_it_waited(
    database_url: str, tmp_path: Path
) -> None:
    async def body(bench: Workbench) -> None:
        await _queue(bench, [f"b{n}" for n in range(50)], Lane.BACKFILL, minutes_ago=11)
        claims = Claims(bench, ALL)
        assert [len(await _take(claims, 100, backfill=most)) for most in (0, 3, 0)] == [0, 3, 0]

    on_bench(database_url, tmp_path, body)


def test_a_long_backlog_of_one_shard_does_not_hold_up_the_others(database_url: str, tmp_path: Path) -> None:
    async def body(bench: Workbench) -> None:
        await _queue(bench, _keys(0, 200), Lane.LIVE, minutes_ago=5)
        await _queue(bench, [key for shard in ALL[1:] for key in _keys(shard, 2)], Lane.LIVE)
        taken = Counter(shard_of(key) for key in await _take(Claims(bench, ALL), 64))
        assert taken == {0: 34, **dict.fromkeys(ALL[1:], 2)}

    on_bench(database_url, tmp_path, body)


def test_where_there_is_room_for_one_document_the_shards_take_turns(database_url: str, tmp_path: Path) -> None:
    async def body(bench: Workbench) -> None:
        await _queue(bench, [key for shard in ALL for key in _keys(shard, 3)], Lane.LIVE)
        claims = Claims(bench, ALL)
        taken = [shard_of(key) for _ in ALL for key in await _take(claims, 1)]
        assert sorted(taken) == ALL

    on_bench(database_url, tmp_path, body)


def test_what_the_limit_has_no_room_for_is_not_claimed(database_url: str, tmp_path: Path) -> None:
    async def body(bench: Workbench) -> None:
        await _queue(bench, ["b1", "b2"], Lane.BACKFILL)
        claims = Claims(bench, ALL)
        assert await _take(claims, 10, backfill=0) == []
        assert len(await _take(claims, 10, backfill=1)) == 1

    on_bench(database_url, tmp_path, body)


def test_what_may_take_its_worker_along_is_held_alone(database_url: str, tmp_path: Path) -> None:
    async def body(bench: Workbench) -> None:
        await _queue(bench, ["killer"], Lane.LIVE)
        async with bench.db.transaction() as tx:
            await tx.execute("UPDATE embedding_assets.work_items SET lost_claims = 2")
        claims = Claims(bench, ALL)
        assert await _take(claims, 10) == ["killer"]
        await _queue(bench, ["neighbour"], Lane.LIVE)
        assert await _take(claims, 10) == []
        claims.settled(list(claims.held.values()))
        assert await _take(claims, 10) == ["neighbour"]

    on_bench(database_url, tmp_path, body)


def test_what_is_given_back_keeps_its_place(database_url: str, tmp_path: Path) -> None:
    async def body(bench: Workbench) -> None:
        first, second, third = _keys(3, 3)
        await _queue(bench, [first], Lane.LIVE)
        claims = Claims(bench, ALL)
        assert await _take(claims, 1) == [first]
        await _queue(bench, [second], Lane.LIVE)
        await claims.release_all()
        await _queue(bench, [third], Lane.LIVE)
        assert [await _take(claims, 1) for _ in range(3)] == [[first], [second], [third]]

    on_bench(database_url, tmp_path, body)


def test_what_is_given_back_behind_a_run_is_claimed_before_it_ends(database_url: str, tmp_path: Path) -> None:
    async def body(bench: Workbench) -> None:
        first, second, third = _keys(3, 3)
        claims = Claims(bench, ALL)
        for key in (first, second):
            await _queue(bench, [key], Lane.LIVE)
            assert await _take(claims, 1) == [key]
        given_back = claims.held[first]
        async with bench.db.transaction() as tx:
            await work_queue.release(tx, bench.target.collection_id, [given_back])
        claims.settled([given_back])
        await _queue(bench, [third], Lane.LIVE)
        taken = await _take(claims, 10)
        claims.settled(list(claims.held.values()))
        assert sorted(taken + await _take(claims, 10)) == sorted([first, third])

    on_bench(database_url, tmp_path, body)
