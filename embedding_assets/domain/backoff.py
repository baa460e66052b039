"""When to try again: the ladder between attempts of a document, the short waits within a run, the probes of a circuit.

Pure arithmetic; the jitter's random number is an argument.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from embedding_assets.domain.failures import FailureClass

LADDER_SECONDS: tuple[float, ...] = (300.0, 1800.0, 7200.0, 86400.0)
JITTER = 0.1
# What a provider may ask of a run that holds claims, and of everybody who shares its limit: a maintenance page asks for
# hours, a wrong clock for years, and asking again costs one request.
LONGEST_RETRY_SECONDS = 60.0
LONGEST_BLOCK_SECONDS = 600.0
# Between probes of an open circuit: an outage of seconds is over soon, and an hour's costs the provider 14 requests.
FIRST_PROBE_SECONDS = 30.0
LONGEST_PROBE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Try the document again after this many seconds."""

    after_seconds: float


@dataclass(frozen=True, slots=True)
class Escalate:
    """Stop trying: it stays visible until a person requeues or dismisses it."""


Decision: TypeAlias = "Retry | Escalate"


def next_step(
    failure_class: FailureClass, attempts: int, *, luck: float, ladder: Sequence[float] = LADDER_SECONDS
) -> Decision:
    """What follows the `attempts`-th attempt (1 for the first) of an episode.

    Poison gets one retry, after the first rung: trying the same content again rarely helps. `luck` in [0, 1) spreads the
    wait by up to 10 % so that documents that failed together do not come back together.
    """
    rungs = ladder[:1] if failure_class is FailureClass.POISON else ladder
    if attempts > len(rungs):
        return Escalate()
    return Retry(rungs[attempts - 1] * (1 + JITTER * luck))


def retry_wait(asked: float | None, tries: int, *, luck: float) -> float:
    """Seconds before the next try of a request that failed; `asked` is what the provider's answer said, if anything."""
    return min(asked, LONGEST_RETRY_SECONDS) if asked else short_wait(tries, luck=luck)


def throttled_wait(asked: float | None, *, luck: float) -> float:
    """Seconds to stay away from a provider that throttles."""
    return min(asked, LONGEST_BLOCK_SECONDS) if asked else short_wait(3, luck=luck)


def probe_wait(probes: int) -> float:
    """Seconds before the next probe of a circuit that was probed so often: doubling, up to five minutes."""
    # A circuit may stay open for weeks: the power itself must stay small.
    return min(LONGEST_PROBE_SECONDS, FIRST_PROBE_SECONDS * 2 ** min(probes, 10))


def short_wait(tries: int, *, luck: float, first_seconds: float = 0.5, longest_seconds: float = 8.0) -> float:
    """Seconds before the next try within a run, after `tries` (1 for the first): doubling, half of it random."""
    full = min(longest_seconds, first_seconds * 2 ** (tries - 1))
    return full * (0.5 + 0.5 * luck)
