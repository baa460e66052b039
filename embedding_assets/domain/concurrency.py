"""How many requests of a run are at the provider at once: one more for each round that went well, half after a refusal.

Additive increase, multiplicative decrease, as TCP does it (Chiu and Jain, 1989): whoever shares a provider without
knowing the others converges to equal parts. Pure; not here: waiting for a place (pipeline/requesting).
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class ConcurrencyWindow:
    """Between 1 and `most`, where it begins. `rounds` counts the cuts; a request belongs to the round it was sent in."""

    most: int
    rounds: int = 0
    size: float = field(init=False)

    def __post_init__(self) -> None:
        self.size = float(self.most)

    @property
    def places(self) -> int:
        """Requests that may be under way."""
        return int(self.size)

    def went_well(self) -> None:
        """One request was answered; as many as there are places make one more place."""
        self.size = min(float(self.most), self.size + 1 / self.size)

    def refused(self, sent_in_round: int) -> None:
        """The provider throttled or was overloaded: half, once for all requests that were under way together."""
        if sent_in_round == self.rounds:
            self.rounds += 1
            self.size = max(1.0, self.size / 2)
