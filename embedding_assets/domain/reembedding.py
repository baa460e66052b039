"""What re-embedding would send and cost, and whether it may begin. Counts and decisions only."""

from dataclasses import dataclass
from enum import Enum

from embedding_assets.domain.prices import Price


class Decision(str, Enum):
    """Whether re-embedding begins, and if not, why."""

    NOTHING_STALE = "nothing_stale"
    BEGIN = "begin"
    NEEDS_APPROVAL = "needs_approval"
    TOO_DEAR = "too_dear"


@dataclass(frozen=True, slots=True)
class Approval:
    """What may be spent: nothing above `automatic_usd` unless a person approved, and nothing above `max_usd` at all."""

    approved: bool = False
    max_usd: float | None = None
    automatic_usd: float = 0.0


@dataclass(slots=True)
class StalePart:
    """What is stale for one reason: its documents, their distinct inputs, and those of them that would be sent.

    The inputs that are not sent have their vector already. `tokens` of those sent is a high estimate.
    """

    price: Price
    documents: int = 0
    inputs: int = 0
    to_send: int = 0
    tokens: int = 0

    @property
    def unchanged(self) -> int:
        """Inputs that cost nothing."""
        return self.inputs - self.to_send

    @property
    def usd(self) -> float:
        """What the inputs to send cost."""
        return self.price.usd(self.tokens)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is stale, by reason: a vector is missing or bad, another model is being built, the chunker changed.

    `building` is the name of the model that is being built. Not `complete`: counting ended where the cost was above what
    may be spent.
    """

    vectors: StalePart
    model: StalePart
    chunker: StalePart
    building: str | None = None
    complete: bool = True

    @property
    def parts(self) -> tuple[StalePart, StalePart, StalePart]:
        """All of it."""
        return self.vectors, self.model, self.chunker

    @property
    def to_send(self) -> int:
        """Inputs."""
        return sum(part.to_send for part in self.parts)

    @property
    def tokens(self) -> int:
        """Of the inputs to send."""
        return sum(part.tokens for part in self.parts)

    @property
    def usd(self) -> float:
        """What they cost."""
        return sum(part.usd for part in self.parts)


def decide(estimate: Estimate, approval: Approval) -> Decision:
    """Whether this may begin."""
    if estimate.building is None and not any(part.documents or part.inputs for part in estimate.parts):
        return Decision.NOTHING_STALE
    if approval.max_usd is not None and estimate.usd > approval.max_usd:
        return Decision.TOO_DEAR
    if approval.approved or (estimate.complete and estimate.usd <= approval.automatic_usd):
        return Decision.BEGIN
    return Decision.NEEDS_APPROVAL
