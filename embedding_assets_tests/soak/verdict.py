"""What a soak is judged by: the provider's log and the queue's standing in, findings with pass or fail out.

Not here: printing (report), measuring.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from embedding_assets_tests.simulator import ArrivalLog
from embedding_assets_tests.soak.database import MODEL, Standing
from embedding_assets_tests.soak.freshness import Freshness
from embedding_assets_tests.soak.neighbour import NEIGHBOUR_MODEL
from embedding_assets_tests.soak.scenarios import WINDOW_SECONDS, Scenario

LEAST_USE = 0.95
# An answer that says "stay away" reaches every process within this; what was sent before could not know.
KNOWN_AFTER_SECONDS = 1.0
# Of the 429s of the worst minute, at most this part may come in the last.
_DIED_DOWN = 0.1
_REFUSED = "429"
# Of the live changes, 95 % are published sooner than this.
FRESH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Minute:
    """What reached the provider in one minute; `backfill` documents were published in it beside live changes."""

    ours: int
    neighbour: int
    refused: int
    backfill: int | None = None

    @property
    def total(self) -> int:
        """Everybody's."""
        return self.ours + self.neighbour


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the verdict; `passed` is None where it only informs."""

    what: str
    value: str
    passed: bool | None = None


def minute_of(log: ArrivalLog, start: float) -> Minute:
    """The minute that begins at this monotonic time."""
    part = log.since(start, start + 60)
    return Minute(part.count(model=MODEL), part.count(model=NEIGHBOUR_MODEL), part.count(status=_REFUSED))


def judge(
    scenario: Scenario, minutes: Sequence[Minute], log: ArrivalLog, end: Standing, documents: int, live: Freshness
) -> list[Finding]:
    """`log` and `live` are what came and what changed in these minutes; `end` is how the queue stood afterwards."""
    own = (
        _of_a_finite_load(minutes, log, end, documents) if scenario.documents else _of_a_steady_load(scenario, minutes)
    )
    if scenario.live_per_minute:
        own += _of_live_changes(minutes, live)
    if not scenario.limited:
        own.append(Finding("everything is published", str(end.published == documents), end.published == documents))
    fewest, most = min(end.by_shard.values(), default=0), max(end.by_shard.values(), default=0)
    return [
        *own,
        Finding("attempts that failed", str(end.failed_attempts), end.failed_attempts == 0),
        Finding("claims lost", str(end.lost_claims), end.lost_claims == 0),
        Finding("claims held by workers told to stop", str(end.held), end.held == 0),
        Finding(
            "most of ours, of all in any 60 s",
            f"{log.largest_in_window(WINDOW_SECONDS, model=MODEL)}, {log.largest_in_window(WINDOW_SECONDS)}",
        ),
        Finding("documents published", f"{end.published:,} of {documents:,}; by shard {fewest} to {most}"),
    ]


def _of_a_steady_load(scenario: Scenario, minutes: Sequence[Minute]) -> list[Finding]:
    refused = sum(minute.refused for minute in minutes)
    ours = sum(minute.ours for minute in minutes) / len(minutes)
    neighbour = sum(minute.neighbour for minute in minutes) / len(minutes)
    allowed = scenario.allowed(neighbour)
    if not scenario.limited:
        return [Finding("429s", str(refused), refused == 0), Finding("requests", f"{ours:,.1f} a minute")]
    return [
        Finding("429s", str(refused), refused == 0),
        Finding("own use", f"{ours:.1f} a minute, {ours / allowed:.1%} of {allowed:.1f}", ours >= LEAST_USE * allowed),
        Finding("the neighbour's use", f"{neighbour:.1f} a minute of {scenario.neighbour_per_minute} wished for"),
    ]


def _of_a_finite_load(minutes: Sequence[Minute], log: ArrivalLog, end: Standing, documents: int) -> list[Finding]:
    refused = [minute.refused for minute in minutes]
    last, worst = refused[-1], max(refused)
    early, knowing = log.sent_during_wait(), log.sent_during_wait(later_than=KNOWN_AFTER_SECONDS)
    answered = log.count(status="200")
    return [
        Finding(
            "429s in all, in the worst minute, in the last",
            f"{sum(refused)}, {worst}, {last}",
            last <= _DIED_DOWN * worst,
        ),
        Finding("requests answered", f"{answered}, {answered / len(minutes):.1f} a minute"),
        Finding("sent during a Retry-After", f"{early}, the latest {log.latest_into_wait:.2f} s after it began"),
        Finding(f"… more than {KNOWN_AFTER_SECONDS:g} s after it began", str(knowing), knowing == 0),
        Finding("everything is published", str(end.published == documents), end.published == documents),
    ]


def _of_live_changes(minutes: Sequence[Minute], live: Freshness) -> list[Finding]:
    half, most, longest = (quantile(live.lags, part) for part in (0.5, 0.95, 1.0))
    backfill = [minute.backfill or 0 for minute in minutes]
    return [
        Finding(
            f"live lag, p50, p95, max of {len(live.lags)} changes",
            f"{half:.1f} s, {most:.1f} s, {longest:.1f} s",
            most < FRESH_SECONDS,
        ),
        Finding("live changes not published", str(live.unpublished), live.unpublished == 0),
        Finding(
            "backfill published, all and in the least minute",
            f"{sum(backfill):,}, {min(backfill):,}",
            min(backfill) > 0,
        ),
    ]


def quantile(values: Sequence[float], part: float) -> float:
    """The least value that this part of all does not exceed (nearest rank); infinite where there is none."""
    ranked = sorted(values)
    return ranked[max(math.ceil(part * len(ranked)), 1) - 1] if ranked else math.inf
