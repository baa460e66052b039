"""How long a scene plays, and what was seen: a row for each full minute as it ends.

Not here: what the numbers have to be (verdict).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from embedding_assets_tests.simulator import ArrivalLog
from embedding_assets_tests.soak.database import Standing, standing
from embedding_assets_tests.soak.freshness import Freshness, backfill_drained, backfill_published, freshness
from embedding_assets_tests.soak.scenarios import WINDOW_SECONDS
from embedding_assets_tests.soak.scene import Scene
from embedding_assets_tests.soak.verdict import FRESH_SECONDS, Minute, minute_of

# Sixteen processes begin on few cores.
_START_SECONDS = 600.0
# Until the burst of the beginning has left the window.
_SETTLING_SECONDS = WINDOW_SECONDS + 10
# A finite load takes its documents' time at the provider's rate; so many times that is never.
_PATIENCE = 4
# A backfill that no limit holds back takes ten minutes on two cores.
_DRAIN_SECONDS = 3600.0
# The last live changes are waited for, but not for ever.
_LAST_CHANGES_SECONDS = 2 * FRESH_SECONDS


class SceneFailed(Exception):
    """The scene cannot be measured; the message says why."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Full minutes, every arrival and live change of the measured time, and the queue when all had stopped."""

    minutes: list[Minute]
    log: ArrivalLog
    end: Standing
    live: Freshness


def watch(scene: Scene, minutes: int, on_minute: Callable[[int, Minute], None], say: Callable[[str], None]) -> Seen:
    """A steady load for so many minutes, once it is steady; one that ends to its end. Then it stops.

    Raises:
        SceneFailed: a process ended, the workers did not all begin, or a finite load did not end.
    """
    start = time.monotonic()
    if scene.scenario.documents:
        limit = start + 60 * _PATIENCE * scene.documents / scene.scenario.provider_per_minute
        full = _play(scene, start, limit, lambda: standing(scene.database_url).published == scene.documents, on_minute)
        end = time.monotonic()
    else:
        _until(scene, lambda: _all_have_begun(scene), start + _START_SECONDS)
        say(f"all workers have begun after {time.monotonic() - start:.0f} s")
        start, full, end = _play_steadily(scene, minutes, on_minute)
    log = scene.provider.arrivals(since=start).since(start, end)
    live = _live_changes(scene, start, end)
    _check(scene)
    # Told to stop, the workers give back what they hold; the queue is read afterwards.
    scene.processes.stop()
    return Seen(full, log, standing(scene.database_url), live)


def _play_steadily(
    scene: Scene, minutes: int, on_minute: Callable[[int, Minute], None]
) -> tuple[float, list[Minute], float]:
    """When it began, its full minutes, and when it ended."""
    if not scene.scenario.limited:
        start = time.monotonic()
        full = _play(scene, start, start + _DRAIN_SECONDS, lambda: backfill_drained(scene.database_url), on_minute)
        return start, full, time.monotonic()
    time.sleep(_SETTLING_SECONDS)
    start = time.monotonic()
    return start, _play(scene, start, start + 60 * minutes, lambda: False, on_minute), start + 60 * minutes


def _live_changes(scene: Scene, start: float, end: float) -> Freshness:
    """Of this time; the load goes on until the last of them is published, or has waited long enough."""
    if not scene.scenario.live_per_minute:
        return Freshness((), 0)
    while True:
        live = freshness(scene.database_url, _clock_at(start), _clock_at(end))
        if not live.unpublished or time.monotonic() > end + _LAST_CHANGES_SECONDS:
            return live
        _check(scene)
        time.sleep(1)


def _clock_at(moment: float) -> datetime:
    """The time of day at this monotonic time."""
    return datetime.fromtimestamp(time.time() - time.monotonic() + moment, timezone.utc)


def _play(
    scene: Scene, start: float, end: float, done: Callable[[], bool], on_minute: Callable[[int, Minute], None]
) -> list[Minute]:
    minutes: list[Minute] = []
    while start + 60 * len(minutes) < end and not done():
        _check(scene)
        began = start + 60 * len(minutes)
        if time.monotonic() >= began + 60:
            minutes.append(_minute(scene, began))
            on_minute(len(minutes), minutes[-1])
        else:
            time.sleep(min(1.0, max(0.0, began + 60.1 - time.monotonic())))
    return minutes


def _minute(scene: Scene, began: float) -> Minute:
    minute = minute_of(scene.provider.arrivals(since=began), began)
    if not scene.scenario.live_per_minute:
        return minute
    return replace(minute, backfill=backfill_published(scene.database_url, _clock_at(began), _clock_at(began + 60)))


def _until(scene: Scene, true: Callable[[], bool], deadline: float) -> None:
    while not true():
        _check(scene)
        if time.monotonic() > deadline:
            raise SceneFailed(f"not all workers have begun within {_START_SECONDS:.0f} s")
        time.sleep(1)


def _all_have_begun(scene: Scene) -> bool:
    begun = standing(scene.database_url).by_shard.keys()
    return all(not begun.isdisjoint(shards) for shards in scene.shards)


def _check(scene: Scene) -> None:
    if ended := scene.processes.ended():
        raise SceneFailed("; ".join(ended))
