"""A run's places at the provider: live first, backfill never starved, none lost."""

import asyncio
from collections import Counter

import anyio
import anyio.lowlevel
import pytest

from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.places import Places


async def _send_all(places: Places, lanes: list[Lane]) -> list[Lane]:
    """The order in which requests that all wait behind one other get their places."""
    order: list[Lane] = []

    async def send(lane: Lane) -> None:
        async with places.place(lane):
            order.append(lane)
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group, places.place(Lane.BACKFILL):
        for lane in lanes:
            group.start_soon(send, lane)
        await anyio.wait_all_tasks_blocked()
    return order


def test_what_is_live_goes_before_backfill_that_waited_longer() -> None:
    order = asyncio.run(_send_all(Places(1), [*[Lane.BACKFILL] * 3, *[Lane.LIVE] * 3]))
    assert order == [*[Lane.LIVE] * 3, *[Lane.BACKFILL] * 3]


def test_every_twentieth_place_is_backfills_however_much_is_live() -> None:
    order = asyncio.run(_send_all(Places(1), [*[Lane.LIVE] * 100, *[Lane.BACKFILL] * 10]))
    for start in range(0, 100, 20):
        assert Counter(order[start : start + 20]) == {Lane.LIVE: 19, Lane.BACKFILL: 1}


def test_no_more_than_there_are_places_send_at_once_and_fewer_after_a_refusal() -> None:
    async def body() -> None:
        places = Places(3)
        go_on = anyio.Event()
        sending = Counter[str]()

        async def send() -> None:
            async with places.place(Lane.LIVE):
                sending["now"] += 1
                await go_on.wait()
                sending["now"] -= 1
                sending["most"] = max(sending["most"], sending["now"])

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            assert sending["now"] == 3
            places.resize(1)
            await anyio.wait_all_tasks_blocked()
            assert sending["now"] == 3
            places.resize(5)
            await anyio.wait_all_tasks_blocked()
            assert sending["now"] == 5
            go_on.set()
        assert sending["now"] == 0

    asyncio.run(body())


@pytest.mark.parametrize("granted", [False, True])
def test_a_place_that_was_waited_for_in_vain_is_free_for_the_next(*, granted: bool) -> None:
    async def body() -> None:
        places = Places(1)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                async with places.place(Lane.LIVE):
                    waiting = anyio.CancelScope()

                    async def wait() -> None:
                        with waiting:
                            async with places.place(Lane.LIVE):
                                pass

                    group.start_soon(wait)
                    await anyio.wait_all_tasks_blocked()
                    if not granted:
                        waiting.cancel()
                        await anyio.wait_all_tasks_blocked()
                # Its turn has come here, and it has not run since.
                waiting.cancel()
            async with places.place(Lane.BACKFILL):
                pass

    asyncio.run(body())
