"""Blocking work in a thread that can be left behind: a fetch that hangs must not hold its run, or the process, for ever.

Not here: what the work is.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def run_in_time(work: Callable[[], T], *, seconds: float) -> T:
    """What `work` returns, run in a thread of its own (starting one costs 0.1 ms, a fetch more).

    The thread is a daemon: left behind when the time is over or the caller is cancelled, it does not keep the process
    from ending.

    Raises:
        TimeoutError: it did not end in time.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def body() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the caller
            _tell(loop, lambda error=error: None if done.done() else done.set_exception(error))
        else:
            _tell(loop, lambda: None if done.done() else done.set_result(result))

    threading.Thread(target=body, name="embedding-assets reader", daemon=True).start()
    try:
        return await asyncio.wait_for(done, seconds)
    except asyncio.TimeoutError:
        # Python 3.10 has a class of its own for it.
        if done.cancelled():
            raise TimeoutError from None
        raise


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(what)
    except RuntimeError:
        # The loop is closed: nobody waits any more.
        return
