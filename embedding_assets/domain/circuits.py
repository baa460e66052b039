"""Circuits: what a systemic failure stops, and what is said of one that is open. Pure wording and the decision behind it.

Not here: the rows (store/circuits), opening and probing (pipeline/circuits), the wait between probes (backoff).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from embedding_assets.domain.explanation import duration
from embedding_assets.domain.failures import (
    ClassifiedError,
    ErrorType,
    FailureClass,
    ProviderError,
    SourceError,
)
from embedding_assets.domain.limits import LimitWait, WaitKind

# What everybody meets may come of how this collection asks (a wrong dimension, a refused option), and then must not stop another
# that asks the same model rightly.
_HOW_WE_ASK = frozenset({ErrorType.UNKNOWN_MODEL, ErrorType.UNEXPECTED})


@dataclass(frozen=True, slots=True)
class Scopes:
    """What a collection's circuits stop: its model for every collection, its way of asking the model, its source."""

    collection: str
    model: str

    @property
    def source(self) -> str:
        """Opened by a root that cannot be read."""
        return f"source {self.collection}"

    @property
    def provider(self) -> tuple[str, str]:
        """What one request to the model tells about."""
        return self.model, f"{self.model} of {self.collection}"

    @property
    def all(self) -> tuple[str, ...]:
        """Whatever keeps this collection from claiming."""
        return (*self.provider, self.source)

    def of(self, error: ClassifiedError) -> str | None:
        """What this end of a run stops; None where it is no circuit's matter: the database, throttling, our own budgets."""
        match error:
            case SourceError():
                return self.source if error.failure_class is FailureClass.SYSTEMIC else None
            case ProviderError() if error.failure_class is not FailureClass.THROTTLED:
                everybodys, ours_alone = self.provider
                poison = error.failure_class is FailureClass.POISON
                return ours_alone if poison or error.error_type in _HOW_WE_ASK else everybodys
            case _:
                return None


@dataclass(frozen=True, slots=True)
class OpenCircuit:
    """A failure for which nobody claims; it may be probed in so many seconds, or at once where they are not above 0."""

    provider: str
    reason: str
    message: str
    opened_at: datetime
    open_seconds: float
    probe_in_seconds: float
    probes: int

    @property
    def due(self) -> bool:
        """Whether the next run may probe it."""
        return self.probe_in_seconds <= 0

    @property
    def next_probe(self) -> str:
        """When it is probed, in words."""
        return "the next run probes it" if self.due else f"it is probed in {duration(self.probe_in_seconds)}"

    @property
    def sentence(self) -> str:
        """What failed, since when nobody claims for it, and what ends it."""
        since = self.opened_at.strftime("%Y-%m-%d %H:%M:%S %Z").rstrip()
        return (
            f"{self.message}; nobody claims for {self.provider} since {since}, {duration(self.open_seconds)} ago: "
            f"{self.next_probe}"
        )

    @property
    def wait(self) -> LimitWait:
        """What a request waits for while it is open."""
        return LimitWait(max(self.probe_in_seconds, 0.0), WaitKind.CIRCUIT, self.sentence)


class CircuitOpen(ClassifiedError):
    """Nothing was claimed, or nothing more: a circuit is open. The message says since when, and when it is probed."""

    def __init__(self, circuit: OpenCircuit, more: str = "") -> None:
        # Another release may have written a reason that this one does not know.
        known = circuit.reason in {error_type.value for error_type in ErrorType}
        error_type = ErrorType(circuit.reason) if known else ErrorType.UNEXPECTED
        super().__init__(error_type, circuit.sentence + more)


def in_the_way(circuits: Sequence[OpenCircuit]) -> OpenCircuit | None:
    """The one that is probed last, of those that keep a collection from claiming: it keeps it longest."""
    return max(circuits, key=lambda circuit: circuit.probe_in_seconds, default=None)
