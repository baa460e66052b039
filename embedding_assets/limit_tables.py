"""The tables of a provider's limits and of budgets, as an operator writes them in the collections file.

Not here: what is left of a limit or a budget (store/rate_limiter), and which collection draws on which (collections_file).
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from embedding_assets.domain.packing import PackingCaps
from embedding_assets.mistakes import refused
from embedding_assets.strict_tables import Positive, StrictTable

Dollars = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class BudgetsTable(StrictTable):
    """The most a collection, or all that draw on a limit, may spend per calendar day or month in UTC."""

    max_usd_per_day: Dollars | None = None
    max_usd_per_month: Dollars | None = None
    max_tokens_per_day: Positive | None = None
    max_tokens_per_month: Positive | None = None


class LimitEntry(StrictTable):
    """One `[limits.NAME]`: a provider's capacity per minute, and the part of it this pipeline may use."""

    requests_per_minute: Positive | None = None
    inputs_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    share: float = Field(default=1.0, gt=0, le=1)
    ceiling_on: Literal["own", "total"] = "own"
    min_per_minute: int = Field(default=0, ge=0)
    consumer: str = Field(default="embedding-assets", min_length=1)
    budgets: BudgetsTable = BudgetsTable()

    def ceiling_inputs(self, caps: PackingCaps) -> int:
        """The most inputs this pipeline could send in a minute: requests filled to the brim, within the inputs' ceiling."""
        bounds = [
            int(self.share * capacity) * inputs
            for capacity, inputs in ((self.requests_per_minute, caps.max_inputs), (self.inputs_per_minute, 1))
            if capacity
        ]
        # A limit of tokens alone says nothing of inputs; a full request holds at least one.
        return min(bounds) if bounds else caps.max_inputs

    def bounded(self, caps: PackingCaps) -> PackingCaps:
        """These caps, lowered to what could ever pass this limit in one request: its ceiling for a minute."""
        inputs, tokens = (
            int(self.share * capacity) if capacity else None
            for capacity in (self.inputs_per_minute, self.tokens_per_minute)
        )
        return PackingCaps(
            min(caps.max_inputs, inputs or caps.max_inputs), min(caps.max_tokens, tokens or caps.max_tokens)
        )

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if not (self.requests_per_minute or self.inputs_per_minute or self.tokens_per_minute):
            allowed = "a number above 0 here, or in inputs_per_minute or tokens_per_minute"
            raise refused("requests_per_minute", None, allowed)
        return self
