"""Processes of a scene: forked from a warm one, stopped by SIGTERM, and never outliving who started them.

Not here: what they do (worker, neighbour, scene).
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["embedding_assets_tests.soak.preloaded"])
# A worker gives its claims back first; the provider answers what it has begun.
_STOP_SECONDS = 30.0


class Troupe:
    """The processes of one scene."""

    def __init__(self) -> None:
        self._processes: list[BaseProcess] = []

    def start(self, name: str, body: Callable[..., None], *arguments: object) -> None:
        """Run `body` in a process of its own."""
        process = _CONTEXT.Process(target=_child, args=(body, *arguments), name=name, daemon=True)
        process.start()
        self._processes.append(process)

    def ended(self) -> list[str]:
        """Those that ended by themselves, which none should."""
        return [f"{one.name} ended with {one.exitcode}" for one in self._processes if not one.is_alive()]

    def stop(self) -> None:
        """The last to come is told first: the provider outlives those who call it."""
        for group in (self._processes[1:], self._processes[:1]):
            for process in group:
                process.terminate()
            for process in group:
                process.join(_STOP_SECONDS)
                if process.is_alive():
                    process.kill()
                    process.join()


@contextmanager
def troupe() -> Generator[Troupe, None, None]:
    """All that is started in the block is stopped at its end."""
    processes = Troupe()
    try:
        yield processes
    finally:
        processes.stop()


def _child(body: Callable[..., None], *arguments: object) -> None:
    # Ctrl-C reaches the whole group at once; who started this process stops it, in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    body(*arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
