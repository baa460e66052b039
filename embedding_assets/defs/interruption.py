"""Runs a coroutine so that a run told to stop gives its claims back before it ends.

Dagster turns SIGTERM into an exception raised wherever the main thread is; inside an event loop that tears the loop down,
database pool included, and what was claimed stays leased. Here the signal cancels the one task instead, which cleans up.
"""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from dagster import DagsterExecutionInterruptedError

_T = TypeVar("_T")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_interruptibly(work: Coroutine[Any, Any, _T]) -> _T:
    """What `work` returns, run in an event loop of its own.

    Raises:
        DagsterExecutionInterruptedError: told to stop; everything `work` does on cancellation was done before.
    """
    if threading.current_thread() is not threading.main_thread():
        return asyncio.run(work)
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        return asyncio.run(_supervised(work))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _supervised(work: Coroutine[Any, Any, _T]) -> _T:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    stopped = asyncio.Event()

    def stop() -> None:
        # A second signal must not cut short what the first one began.
        if not stopped.is_set():
            stopped.set()
            task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if stopped.is_set():
            raise DagsterExecutionInterruptedError from None
        raise
