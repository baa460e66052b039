"""The tables of how a collection's documents are cut and embedded, as an operator writes them in the collections file.

Not here: cutting (domain/chunking), asking a model (providers), and what a collection is besides (collections_file).
"""

from typing import Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from embedding_assets.domain.chunking import ChunkingStrategy, ChunkingStrategyError
from embedding_assets.domain.models import DEFAULT_INPUT_TEMPLATE, MAX_INDEXED_DIMENSIONS, template_mistake
from embedding_assets.mistakes import refused
from embedding_assets.strict_tables import Positive, StrictTable

_CHUNKING = ChunkingStrategy()


class ChunkingTable(StrictTable):
    """How documents are cut; sizes in `unit`."""

    strategy: str = _CHUNKING.name
    size: int = _CHUNKING.size
    overlap: int = _CHUNKING.overlap
    unit: str = _CHUNKING.unit

    @model_validator(mode="after")
    def _within_bounds(self) -> Self:
        try:
            ChunkingStrategy(self.strategy, self.size, self.overlap, self.unit)
        except ChunkingStrategyError as error:
            raise refused(error.key, error.value, error.allowed) from error
        return self


class IndexTable(StrictTable):
    """pgvector's HNSW build parameters, within its bounds."""

    m: int = Field(default=16, ge=2, le=100)
    ef_construction: int = Field(default=64, ge=4, le=1000)

    @model_validator(mode="after")
    def _enough_candidates(self) -> Self:
        if self.ef_construction < 2 * self.m:
            raise refused("ef_construction", self.ef_construction, f"{2 * self.m} or more, which is twice m")
        return self


class ModelTable(StrictTable):
    """The embedding model, how it is asked, and how its vectors are kept and compared."""

    name: str = Field(min_length=1)
    dimensions: Positive
    storage: Literal["vector", "halfvec"] = "vector"
    distance: Literal["cosine", "ip", "l2"] = "cosine"
    input_template: str = DEFAULT_INPUT_TEMPLATE
    normalized: bool = False
    # Vertex takes 20,000 tokens and 250 inputs a request, OpenAI 300,000 and 2,048: the defaults pass everywhere.
    max_inputs_per_request: Positive = 64
    max_tokens_per_request: Positive = 20_000
    usd_per_million_tokens: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    index: IndexTable = IndexTable()
    extra: dict[str, object] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_be_indexed(self) -> Self:
        most = MAX_INDEXED_DIMENSIONS[self.storage]
        if self.dimensions > most:
            wider = ' (with storage = "halfvec": 4000)' if self.storage == "vector" else ""
            raise refused("dimensions", self.dimensions, f"1 to {most}, what pgvector can index{wider}")
        if mistake := template_mistake(self.input_template):
            raise refused("input_template", self.input_template, mistake)
        return self
