"""The TOML file of collections and limits that an operator edits: what it stands for, and every mistake in it named.

Every key is shown in `collections.example.toml`. Not here: the tables within a collection and of a limit (model_tables,
limit_tables), what a source's own keys mean (providers/sources), and the tables in PostgreSQL that
`collections apply` writes (store/collections).
"""

import sys
from pathlib import Path
from typing import Annotated, cast

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator
from typing_extensions import Self

from embedding_assets.domain.chunkers.sizes import TOKENS, tokenizer_of
from embedding_assets.domain.chunking import COUNTED, ChunkingStrategy
from embedding_assets.domain.documents import SHARDS
from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.domain.models import Distance, EmbeddingModel
from embedding_assets.domain.packing import PackingCaps
from embedding_assets.limit_tables import BudgetsTable, LimitEntry
from embedding_assets.mistakes import misplaced_secrets, mistakes_of, refused
from embedding_assets.model_tables import ChunkingTable, ModelTable
from embedding_assets.strict_tables import StrictTable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CollectionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
LimitName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_./-]{0,80}$")]


class CollectionsFileError(EmbeddingAssetsError):
    """The file is missing or wrong; a line for each mistake names key, value and what is allowed."""


class CollectionEntry(StrictTable):
    """One `[collections.NAME]`. `source` is checked by the source it names."""

    owner: str = ""
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    paused: bool = False
    requeue: bool = True
    run_groups: int = Field(default=1, ge=1, le=SHARDS)
    poll_interval: float | None = Field(default=None, ge=60, le=86_400)
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


class CollectionsFile(StrictTable):
    """The whole file, checked: every collection's `limit` is among `limits`."""

    collections: dict[CollectionName, CollectionEntry] = Field(min_length=1)
    limits: dict[LimitName, LimitEntry] = Field(default_factory=dict)

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
    return parse_collections(_text_of(path), file=str(path))


def names_in(path: Path) -> set[str]:
    """The collections that the file has, whatever mistakes are in them; none when it has no table of one.

    Raises:
        CollectionsFileError: it is missing, or not TOML.
    """
    try:
        found = tomllib.loads(_text_of(path)).get("collections", {})
    except tomllib.TOMLDecodeError as error:
        raise CollectionsFileError(f"{path}: not TOML: {error}") from error
    return set(cast("dict[str, object]", found)) if isinstance(found, dict) else set()


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        message = f"{path}: {error.strerror}; copy collections.example.toml there and edit it"
        raise CollectionsFileError(message) from error
    except UnicodeDecodeError as error:
        message = f"{path}: not UTF-8 at byte {error.start}; TOML files are UTF-8"
        raise CollectionsFileError(message) from None


def parse_collections(text: str, *, file: str = "collections.toml") -> CollectionsFile:
    """The same from the file's text; `file` is its name in messages."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = f"{file}: not TOML: {error}"
        raise CollectionsFileError(message) from error
    mistakes = list(misplaced_secrets(values))
    try:
        found = CollectionsFile.model_validate(values)
    except ValidationError as error:
        mistakes += mistakes_of(error, CollectionsFile)
    else:
        if not mistakes:
            return found
    # Out of the handler: a traceback must not carry what was put into the file by mistake.
    raise CollectionsFileError("\n".join(f"{file}: {mistake}" for mistake in mistakes))


def default_collections(corpus: str | None) -> CollectionsFile:
    """The demo's collection `docs`: Python's documentation as installed, or the folder `corpus`; a model in process."""
    folder: dict[str, object] = {"type": "directory", "path": str(Path(corpus or ".").expanduser().absolute())}
    source: dict[str, object] = folder if corpus else {"type": "python-stdlib"}
    model = ModelTable(name="local/wordllama-256", dimensions=256, normalized=True)
    return CollectionsFile(collections={"docs": CollectionEntry(owner="demo", source=source, model=model)})
