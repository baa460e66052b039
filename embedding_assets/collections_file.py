"""The TOML file of collections and limits that an operator edits: its tables, their bounds, and what they stand for.

Every key is shown in `collections.example.toml`. Not here: environment variables (settings), what a source's own keys
mean (providers/sources), and the tables in PostgreSQL that `collections apply` writes (store/collections).
"""

import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator
from typing_extensions import Self

from embedding_assets.domain.chunkers.sizes import TOKENS, tokenizer_of
from embedding_assets.domain.chunking import COUNTED, ChunkingStrategy, ChunkingStrategyError
from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.domain.models import DEFAULT_INPUT_TEMPLATE, MAX_INDEXED_DIMENSIONS, Distance, EmbeddingModel
from embedding_assets.domain.packing import PackingCaps
from embedding_assets.mistakes import mistakes_of, refused

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CollectionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
LimitName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_./-]{0,80}$")]
_CHUNKING = ChunkingStrategy()

Positive = Annotated[int, Field(gt=0)]
Dollars = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class CollectionsFileError(EmbeddingAssetsError):
    """The file is missing or wrong; a line for each mistake names key, value and what is allowed."""


class _Table(BaseModel):
    # Strict, because TOML has types of its own: "800" in quotes is a mistake, not a number.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ChunkingTable(_Table):
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


class IndexTable(_Table):
    """pgvector's HNSW build parameters, within its bounds."""

    m: int = Field(default=16, ge=2, le=100)
    ef_construction: int = Field(default=64, ge=4, le=1000)

    @model_validator(mode="after")
    def _enough_candidates(self) -> Self:
        if self.ef_construction < 2 * self.m:
            raise refused("ef_construction", self.ef_construction, f"{2 * self.m} or more, which is twice m")
        return self


class ModelTable(_Table):
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
    extra: dict[str, object] = {}

    @model_validator(mode="after")
    def _can_be_indexed(self) -> Self:
        most = MAX_INDEXED_DIMENSIONS[self.storage]
        if self.dimensions > most:
            wider = ' (with storage = "halfvec": 4000)' if self.storage == "vector" else ""
            raise refused("dimensions", self.dimensions, f"1 to {most}, what pgvector can index{wider}")
        if "{content}" not in self.input_template:
            raise refused("input_template", self.input_template, "a text with {content} in it, and {title} if wanted")
        return self


class BudgetsTable(_Table):
    """The most a collection, or all that draw on a limit, may spend per calendar day or month in UTC."""

    max_usd_per_day: Dollars | None = None
    max_usd_per_month: Dollars | None = None
    max_tokens_per_day: Positive | None = None
    max_tokens_per_month: Positive | None = None


class CollectionEntry(_Table):
    """One `[collections.NAME]`. `source` is checked by the source it names."""

    owner: str = ""
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    paused: bool = False
    requeue: bool = True
    run_groups: int = Field(default=1, ge=1, le=SHARDS)
    source: dict[str, object]
    chunking: ChunkingTable = ChunkingTable()
    model: ModelTable
    limit: LimitName | None = None
    budgets: BudgetsTable = BudgetsTable()

    @field_validator("source")
    @classmethod
    def _has_type(cls, source: dict[str, object]) -> dict[str, object]:
        if not isinstance(source.get("type"), str):
            raise refused("type", source.get("type"), 'the name of a source, such as "directory" or "python-stdlib"')
        return source

    def chunking_strategy(self) -> ChunkingStrategy:
        """How this collection's documents are cut."""
        cut = self.chunking
        tokenizer = tokenizer_of(self.model.name) if cut.unit == TOKENS and cut.strategy in COUNTED else ""
        return ChunkingStrategy(cut.strategy, cut.size, cut.overlap, cut.unit, tokenizer)

    def embedding_model(self) -> EmbeddingModel:
        """The model this collection's chunks are embedded with."""
        model = self.model
        return EmbeddingModel(
            model.name,
            model.dimensions,
            model.storage,
            Distance(model.distance),
            model.input_template,
            model.normalized,
        )

    def packing_caps(self) -> PackingCaps:
        """The most one request to the model may hold."""
        return PackingCaps(self.model.max_inputs_per_request, self.model.max_tokens_per_request)


class LimitEntry(_Table):
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


class CollectionsFile(_Table):
    """The whole file, checked: every collection's `limit` is among `limits`."""

    collections: dict[CollectionName, CollectionEntry] = Field(min_length=1)
    limits: dict[LimitName, LimitEntry] = {}

    def packing_caps(self, entry: CollectionEntry) -> PackingCaps:
        """The most one request of this collection may hold: its model's caps, within its limit."""
        return self.limits[entry.limit].bounded(entry.packing_caps()) if entry.limit else entry.packing_caps()

    @model_validator(mode="after")
    def _limits_exist(self) -> Self:
        for name, entry in self.collections.items():
            if entry.limit is not None and entry.limit not in self.limits:
                tables = ", ".join(f'[limits."{limit}"]' for limit in self.limits) or "no [limits] table is there yet"
                raise refused(f"collections.{name}.limit", entry.limit, f"the name of a limit of this file: {tables}")
        return self


def load_collections_file(path: Path) -> CollectionsFile:
    """Read and check the file.

    Raises:
        CollectionsFileError: it is missing, not TOML, or has mistakes; all of them are named, with what is allowed.
    """
    try:
        return parse_collections(path.read_text(encoding="utf-8"), file=str(path))
    except OSError as error:
        message = f"{path}: {error.strerror}; copy collections.example.toml there and edit it"
        raise CollectionsFileError(message) from error
    except UnicodeDecodeError as error:
        message = f"{path}: not UTF-8 at byte {error.start}; TOML files are UTF-8"
        raise CollectionsFileError(message) from None


def parse_collections(text: str, *, file: str = "collections.toml") -> CollectionsFile:
    """The same from the file's text; `file` is its name in messages."""
    try:
        return CollectionsFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        message = f"{file}: not TOML: {error}"
        raise CollectionsFileError(message) from error
    except ValidationError as error:
        mistakes = mistakes_of(error, CollectionsFile)
    # Out of the handler: a traceback must not carry what was put into the file by mistake.
    raise CollectionsFileError("\n".join(f"{file}: {mistake}" for mistake in mistakes))


def default_collections(corpus: str | None) -> CollectionsFile:
    """The demo's collection `docs`: Python's documentation as installed, or the folder `corpus`; a model in process."""
    folder: dict[str, object] = {"type": "directory", "path": str(Path(corpus or ".").expanduser().absolute())}
    source: dict[str, object] = folder if corpus else {"type": "python-stdlib"}
    model = ModelTable(name="local/wordllama-256", dimensions=256, normalized=True)
    return CollectionsFile(collections={"docs": CollectionEntry(owner="demo", source=source, model=model)})
