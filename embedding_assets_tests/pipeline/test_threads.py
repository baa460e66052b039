"""Blocking work that may be left behind: its result, its error, or the end of patience; and a process that can still end."""

import asyncio
import subprocess
import sys
import threading

import pytest

from embedding_assets.pipeline.threads import run_in_time


def test_what_the_work_returns_or_raises_reaches_the_caller() -> None:
    def fail() -> None:
        raise KeyError("gone")

    assert asyncio.run(run_in_time(lambda: 7, seconds=30)) == 7
    with pytest.raises(KeyError, match="gone"):
        asyncio.run(run_in_time(fail, seconds=30))


def test_work_without_an_end_is_left_behind_and_its_late_result_disturbs_nobody() -> None:
    ended = threading.Event()

    async def body() -> None:
        with pytest.raises(TimeoutError):
            await run_in_time(ended.wait, seconds=0.05)
        ended.set()
        assert await run_in_time(lambda: "next", seconds=30) == "next"

    asyncio.run(body())


def test_a_time_out_of_the_work_itself_is_passed_on_as_it_is() -> None:
    def fail() -> None:
        raise TimeoutError("the source's own")

    with pytest.raises(TimeoutError, match="the source's own"):
        asyncio.run(run_in_time(fail, seconds=30))


def test_a_process_ends_although_work_hangs_in_it() -> None:
    program = (
        "import asyncio, threading\n"
        "from embedding_assets.pipeline.threads import run_in_time\n"
        "try:\n    asyncio.run(run_in_time(threading.Event().wait, seconds=0.05))\n"
        "except TimeoutError:\n    print('left behind')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "left behind"
