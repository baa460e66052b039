"""What a run asked of its provider and how long it waited for the limit. Not here: asking (requesting)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from embedding_assets.domain.failures import ErrorType


@dataclass(slots=True)
class Waited:
    """Seconds that requests waited for the limit, one after another."""

    seconds: float = 0.0


@dataclass(slots=True)
class RequestCounts:
    """What this run asked of the provider, and what went wrong there, passing or not.

    `tokens` as the provider counts them, cost in USD where a price is known; `errors` counts replies by error type.
    `throttled_seconds` is wall time in which anything waited for the limit.
    """

    requests: int = 0
    inputs: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    reordered_replies: int = 0
    throttled_seconds: float = 0.0
    errors: dict[str, int] = field(default_factory=dict[str, int])

    def count_error(self, error_type: ErrorType) -> None:
        """One more reply of this kind."""
        self.errors[error_type.value] = self.errors.get(error_type.value, 0) + 1


def all_requests(counts: Iterable[RequestCounts]) -> RequestCounts:
    """The sum of all."""
    whole = RequestCounts()
    for one in counts:
        for name in ("requests", "inputs", "tokens", "cost_usd", "reordered_replies", "throttled_seconds"):
            setattr(whole, name, getattr(whole, name) + getattr(one, name))
        for error, count in one.errors.items():
            whole.errors[error] = whole.errors.get(error, 0) + count
    return whole
