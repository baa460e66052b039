"""When to try again: the ladder between attempts of a document, and the short waits within a run.

Pure arithmetic; the jitter's random number is an argument.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from embedding_assets.domain.failures import FailureClass

LADDER_SECONDS: tuple[float, ...] = (300.0, 1800.0, 7200.0, 86400.0)
JITTER = 0.1


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


def short_wait(tries: int, *, luck: float, first_seconds: float = 0.5, longest_seconds: float = 8.0) -> float:
    """Seconds before the next try within a run, after `tries` (1 for the first): doubling, half of it random."""
    full = min(longest_seconds, first_seconds * 2 ** (tries - 1))
    return full * (0.5 + 0.5 * luck)
