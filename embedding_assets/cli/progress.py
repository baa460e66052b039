"""Progress on stderr: a bar where a person looks, a plain line every few seconds where a log is written."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Protocol

from embedding_assets.cli.rendering import err

# Often enough to see that it lives, seldom enough for the log of a build server.
_LINE_SECONDS = 5.0


class Progress(Protocol):
    """A count on its way to a total, which may still grow."""

    def show(self, done: int, total: int) -> None:
        """Show how far it is."""
        ...


@contextmanager
def progress(what: str) -> Generator[Progress, None, None]:
    """Shows progress while the block runs."""
    console = err()
    if not console.is_terminal:
        yield _Lines(what)
        return
    from rich.progress import (  # noqa: PLC0415 - 0.1 s that only a bar needs
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress  # noqa: PLC0415 - as above

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield _Bar(lambda done, total: bar.update(task, completed=done, total=total))


class _Bar:
    def __init__(self, update: Callable[[int, int], None]) -> None:
        self._update = update

    def show(self, done: int, total: int) -> None:
        self._update(done, total)


class _Lines:
    """Says something only when it is new and the last line is some seconds old."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._said = 0.0
        self._last = (0, 0)

    def show(self, done: int, total: int) -> None:
        now = time.monotonic()
        if (done, total) != self._last and now - self._said >= _LINE_SECONDS:
            err().print(f"{self._what}: {done:,} of {total:,}")
            self._said, self._last = now, (done, total)
