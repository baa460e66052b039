"""What a model's input costs, and who says so."""

from dataclasses import dataclass
from enum import Enum


class PriceOrigin(str, Enum):
    """Where a price is from; the value is how a person is told."""

    FILE = "the collections file"
    LISTED = "LiteLLM's price list"
    FREE = "it runs in this process"
    UNKNOWN = "EMBEDDING_ASSETS_UNKNOWN_USD_PER_MILLION_TOKENS, as nothing else knows it"


@dataclass(frozen=True, slots=True)
class Price:
    """Of a million tokens of input, in US dollars."""

    usd_per_million_tokens: float
    origin: PriceOrigin

    def usd(self, tokens: int) -> float:
        """What so many tokens cost."""
        return tokens * self.usd_per_million_tokens / 1e6
