"""How long a scene plays, and what was seen: a row for each full minute as it ends.

Not here: what the numbers have to be (verdict).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from embedding_assets_tests.simulator import ArrivalLog
from embedding_assets_tests.soak.database import Standing, standing
from embedding_assets_tests.soak.scenarios import WINDOW_SECONDS
from embedding_assets_tests.soak.scene import Scene
from embedding_assets_tests.soak.verdict import Minute, minute_of

# Sixteen processes begin on few cores.
_START_SECONDS = 600.0
# Until the burst of the beginning has left the window.
_SETTLING_SECONDS = WINDOW_SECONDS + 10
# A finite load takes its documents' time at the provider's rate; so many times that is never.
_PATIENCE = 4


class SceneFailed(Exception):
    """The scene cannot be measured; the message says why."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Full minutes, every arrival of the measured time, and the queue when all had stopped."""

    minutes: list[Minute]
    log: ArrivalLog
    end: Standing


def watch(scene: Scene, minutes: int, on_minute: Callable[[int, Minute], None], say: Callable[[str], None]) -> Seen:
    """A steady load for so many minutes, once it is steady; a finite one from its beginning to its end. Then it stops.

    Raises:
        SceneFailed: a process ended, the workers did not all begin, or a finite load did not end.
    """
    start = time.monotonic()
    if scene.scenario.documents:
        limit = start + 60 * _PATIENCE * scene.documents / scene.scenario.provider_per_minute
        full = _play(scene, start, limit, lambda: standing(scene.database_url).published == scene.documents, on_minute)
    else:
        _until(scene, lambda: _all_have_begun(scene), start + _START_SECONDS)
        say(f"all workers have begun after {time.monotonic() - start:.0f} s; the window fills")
        time.sleep(_SETTLING_SECONDS)
        start = time.monotonic()
        full = _play(scene, start, start + 60 * minutes, lambda: False, on_minute)
    end = time.monotonic() if scene.scenario.documents else start + 60 * minutes
    log = scene.provider.arrivals(since=start).since(start, end)
    _check(scene)
    # Told to stop, the workers give back what they hold; the queue is read afterwards.
    scene.processes.stop()
    return Seen(full, log, standing(scene.database_url))


def _play(
    scene: Scene, start: float, end: float, done: Callable[[], bool], on_minute: Callable[[int, Minute], None]
) -> list[Minute]:
    minutes: list[Minute] = []
    while start + 60 * len(minutes) < end and not done():
        _check(scene)
        began = start + 60 * len(minutes)
        if time.monotonic() >= began + 60:
            minutes.append(minute_of(scene.provider.arrivals(since=began), began))
            on_minute(len(minutes), minutes[-1])
        else:
            time.sleep(min(1.0, max(0.0, began + 60.1 - time.monotonic())))
    return minutes


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
