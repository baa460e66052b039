"""What a run works with: one collection's settings, its source, its model, and the database. Built by runtime."""

from dataclasses import dataclass, field

from embedding_assets.domain.backoff import LADDER_SECONDS
from embedding_assets.domain.chunking import ChunkingStrategy
from embedding_assets.domain.circuits import Scopes
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.packing import PackingCaps
from embedding_assets.domain.ports import Embedder, Source
from embedding_assets.pipeline.run_ledger import RunLedger
from embedding_assets.store.database import Database
from embedding_assets.store.rate_limiter import Account
from embedding_assets.store.vector_index import IndexOptions
from embedding_assets.store.vectors import VectorTable


@dataclass(frozen=True, slots=True)
class LimitName:
    """A shared limit and the name this pipeline draws on it by; `inputs_per_minute` is the most its ceiling allows."""

    name: str
    consumer: str
    inputs_per_minute: int


@dataclass(frozen=True, slots=True)
class Target:
    """One collection, as settings and database agree on it.

    `budgeted`: it or its limit has a budget. `requeue`: a run drains the queue; otherwise it takes one minute's items from
    each shard and ends.
    """

    name: str
    collection_id: int
    model_id: int
    model: EmbeddingModel
    chunking: ChunkingStrategy
    caps: PackingCaps
    index: IndexOptions = field(default_factory=IndexOptions)
    limit: LimitName | None = None
    budgeted: bool = False
    requeue: bool = True

    @property
    def account(self) -> Account:
        """Whom requests are charged to."""
        limit = self.limit
        return Account(self.collection_id, limit.name if limit else None, limit.consumer if limit else None)

    @property
    def circuits(self) -> Scopes:
        """What keeps it from claiming while it is open."""
        return Scopes(self.name, self.model.name)

    @property
    def table(self) -> VectorTable:
        """Where this collection's vectors are."""
        return VectorTable(self.collection_id, self.model_id, self.model)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much at a time and how long; times in seconds.

    A lease is lengthened every third of itself, never beyond `max_claim_seconds`, so that a hung worker loses its claims
    too. A run claims nothing new after `max_run_seconds`, and gives back what is not settled `finish_seconds`
    later: before an orchestrator takes it for stuck. What is claimed waits for the shared limit no longer than
    `throttle_hold`, then it is given back; a run that holds nothing ends after waiting for `throttle_patience`. A batch
    that is not full goes after `batch_linger` without another document.
    """

    lease_seconds: float = 60.0
    max_claim_seconds: float = 600.0
    max_run_seconds: float = 1800.0
    finish_seconds: float = 240.0
    claim_documents: int = 200
    settle_documents: int = 50
    settle_interval: float = 0.25
    fetchers: int = 4
    requests_at_once: int = 4
    batch_linger: float = 0.03
    request_tries: int = 4
    bytes_in_flight: int = 64_000_000
    throttle_hold: float = 10.0
    throttle_patience: float = 65.0
    unknown_usd_per_million_tokens: float = 0.2
    ladder: tuple[float, ...] = LADDER_SECONDS


@dataclass(frozen=True, slots=True)
class Workbench:
    """Everything a pipeline step may use. `run_id` names the run in leases and failure history.

    `building` is the same for the model that is built beside the active one; None when none is. `ledger` is where everything that
    happens here is counted; whoever opened the workbench ends it.
    """

    db: Database
    source: Source
    embedder: Embedder
    target: Target
    run_id: str
    pace: Pace = Pace()
    building: "Workbench | None" = None
    ledger: RunLedger = field(default_factory=RunLedger)
