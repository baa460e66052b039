"""Launch a run in Dagster and stay with it to its end: once for each key, through restarts of the webserver.

First look for a run of the key, then launch, then look again: of two that launched at the same moment both see the same oldest
run, keep it and end the other. Not here: what Dagster is asked (providers/dagster_runs), exit codes and words (cli).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.domain.launches import (
    KEY_TAG,
    LaunchedRun,
    LaunchOrder,
    LaunchRefused,
    checked_partitions,
    superfluous,
    the_run,
)
from embedding_assets.providers.dagster_runs import DagsterRuns, RunEvent
from embedding_assets.providers.dagster_webserver import DagsterAway

T = TypeVar("T")
Tell: TypeAlias = "Callable[[str], None]"
Hear: TypeAlias = "Callable[[RunEvent], None]"

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
_POLL_SECONDS = 1.0
# Between being written and being handed over a run spends milliseconds.
_STILLBORN_SECONDS = 60.0
_QUIET_LOOKS = 2


class DagsterUnreachable(EmbeddingAssetsError):
    """It did not answer for as long as we were to wait; a run may be in progress."""


class LaunchTimedOut(EmbeddingAssetsError):
    """The time given is over; the run goes on."""


@dataclass(slots=True)
class Patience:
    """Until when to wait for everything, and how long for a webserver that does not answer; in seconds."""

    total: float | None
    away: float
    tell: Tell
    _began: float = field(default_factory=time.monotonic)

    def ask(self, question: Callable[[], T]) -> T:
        """The answer, asked for again while Dagster is away.

        Raises:
            DagsterUnreachable: it was away for too long.
            LaunchTimedOut: the time given is over.
        """
        since, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            try:
                return question()
            except DagsterAway as error:
                if pause == _FIRST_PAUSE:
                    self.tell(f"{error}; trying again for up to {self.away:g} s")
                if time.monotonic() + pause - since > self.away:
                    raise DagsterUnreachable(f"{error}, for {self.away:g} s") from None
            self.pause(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def pause(self, seconds: float) -> None:
        """Wait so long.

        Raises:
            LaunchTimedOut: the time given ends before.
        """
        if self.total is not None and time.monotonic() + seconds - self._began > self.total:
            raise LaunchTimedOut(f"not over after {self.total:g} s")
        time.sleep(seconds)


def launch(dagster: DagsterRuns, order: LaunchOrder, patience: Patience) -> LaunchedRun:
    """The run of the order's key: one that is there already, else a new one.

    Raises:
        LaunchRefused: nothing was started.
    """
    patience.ask(lambda: _found_or_new(dagster, order, patience.tell))
    # An answer that was lost may have started a run, and so may somebody else with this key.
    runs = patience.ask(lambda: dagster.with_tag(KEY_TAG, order.key))
    for run in superfluous(runs):
        patience.tell(f"run {run.run_id} was launched at the same moment and is ended")
        patience.ask(lambda run=run: dagster.terminate(run.run_id))
    # Somebody may have canceled or deleted it since.
    found = the_run(runs) or next(iter(runs), None)
    if found is None:
        raise LaunchRefused(f"the run of --key {order.key} is no longer there: somebody deleted it")
    return found


def _found_or_new(dagster: DagsterRuns, order: LaunchOrder, tell: Tell) -> LaunchedRun:
    if known := the_run(dagster.with_tag(KEY_TAG, order.key)):
        tell(f"run {known.run_id} was launched with this key before")
        return known
    job = dagster.job(order.job)
    run = dagster.launch(job, order, checked_partitions(job.partitions, order))
    tell(f"launched run {run.run_id} of {order.job}")
    return run


def launch_and_wait(dagster: DagsterRuns, order: LaunchOrder, patience: Patience, hear: Hear) -> LaunchedRun:
    """The run of the order's key at its end.

    Where the run that counted was ended in favour of another, and where one never came to life, the key's next is followed.
    """
    while True:
        run = launch(dagster, order, patience)
        ended, again = _follow(dagster, run, patience, hear)
        if not again and not (ended.canceled and the_run(patience.ask(lambda: dagster.with_tag(KEY_TAG, order.key)))):
            return ended


def _follow(dagster: DagsterRuns, run: LaunchedRun, patience: Patience, hear: Hear) -> tuple[LaunchedRun, bool]:
    """The run, or the last of its retries, at its end; and whether it never came to life."""
    began, cursor, status, looked_again = time.monotonic(), None, "", False
    while True:
        run = patience.ask(lambda run=run: dagster.find(run.run_id))
        if run.status != status:
            status = run.status
            patience.tell(f"run {run.run_id} is {status.lower().replace('_', ' ')}")
        # After the status, so that the events of a run that is over are all there.
        cursor = _listen(dagster, run.run_id, cursor, patience, hear)
        if run.retried_as:
            patience.tell(f"Dagster retries it as run {run.retried_as}")
            run, cursor, status, looked_again = LaunchedRun(run.retried_as, ""), None, "", False
        elif run.may_be_retried and not looked_again:
            looked_again = True
        elif run.is_over and not run.will_be_retried:
            return run, False
        elif run.is_stillborn and time.monotonic() - began > _STILLBORN_SECONDS:
            patience.tell(f"run {run.run_id} was never handed over and is written off")
            patience.ask(lambda run=run: dagster.terminate(run.run_id, at_once=True))
            return run, True
        patience.pause(_POLL_SECONDS)


def _listen(dagster: DagsterRuns, run_id: str, cursor: str | None, patience: Patience, hear: Hear) -> str | None:
    more = True
    while more:
        at = cursor
        events, cursor, more = patience.ask(lambda at=at: dagster.events(run_id, at))
        for event in events:
            hear(event)
    return cursor


def end_runs(dagster: DagsterRuns, key: str, patience: Patience) -> None:
    """End whatever runs of this key are in progress, and wait until they are over.

    Asked again each time, because a run that is starting does not hear it; looked for again, because a launch whose answer
    was not awaited comes late.
    """
    quiet = 0
    while quiet < _QUIET_LOOKS:
        alive = [run for run in patience.ask(lambda: dagster.with_tag(KEY_TAG, key)) if not run.is_over]
        for run in alive:
            patience.ask(lambda run=run: dagster.terminate(run.run_id, at_once=run.is_stillborn))
        quiet = 0 if alive else quiet + 1
        patience.pause(_POLL_SECONDS)
