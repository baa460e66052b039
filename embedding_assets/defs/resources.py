"""The resources: workbenches and the database from settings, and the way into the metrics; and how our errors end a run.

A test or another code location may put any `Workbenches` or `PrometheusMetrics` in their place.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass

import anyio
import dagster as dg

from embedding_assets import runtime
from embedding_assets.domain.failures import ClassifiedError, EmbeddingAssetsError
from embedding_assets.domain.health import Finding
from embedding_assets.domain.redaction import redacted
from embedding_assets.pipeline.run_records import record_findings, record_run
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.settings import Settings, load_settings
from embedding_assets.store.database import Database

RESOURCE_KEY = "workbenches"
# Not `metrics`: another project's definitions may have such a resource of their own.
METRICS_KEY = "embedding_metrics"
# Of a run that ends because the database is away.
_RECORD_SECONDS = 20.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Workbenches:
    """What assets, jobs and sensors work with; nothing is connected before something is opened."""

    settings: Settings

    def open(self, collection: str, *, run_id: str) -> AbstractAsyncContextManager[Workbench]:
        """Everything a run over this collection needs; raises as `runtime.open_workbench` does."""
        return runtime.open_workbench(self.settings, collection, run_id=run_id, application_name="embedding-assets run")

    def database(self) -> AbstractAsyncContextManager[Database]:
        """Just the database, for questions."""
        return runtime.open_database(self.settings, application_name="embedding-assets tick")


class WorkbenchesResource(dg.ConfigurableResource[Workbenches]):
    """Reads its settings from the environment (EMBEDDING_ASSETS_…) of the process that runs."""

    def create_resource(self, context: dg.InitResourceContext) -> Workbenches:
        """The plain object that bodies see."""
        return Workbenches(load_settings())


@dataclass(frozen=True, slots=True)
class PrometheusMetrics:
    """How runs and checks reach the metrics: through the ledger in PostgreSQL, which outlives them; the exporter shows it.

    A run is not failed by what cannot be counted of it.
    """

    settings: Settings

    @contextmanager
    def recorded(self, job: str, collection: str) -> Generator[None]:
        """The block is a run of this kind: how long it took, and whether it succeeded, is kept, whoever launched it."""
        started = time.monotonic()
        ended_by: BaseException | None = None
        try:
            yield
        except BaseException as error:
            ended_by = error
            raise
        finally:
            seconds = time.monotonic() - started
            self._enter(lambda db: record_run(db, job, collection, seconds=seconds, error=ended_by))

    def found(self, collection: str, findings: Mapping[str, Finding]) -> None:
        """What the checks of the stored data found."""
        self._enter(lambda db: record_findings(db, collection, findings))

    def _enter(self, record: Callable[[Database], Awaitable[None]]) -> None:
        try:
            asyncio.run(self._record(record))
        except (EmbeddingAssetsError, TimeoutError) as error:
            _log.warning("the metrics do not know of this run: %s", redacted(str(error)))

    async def _record(self, record: Callable[[Database], Awaitable[None]]) -> None:
        with anyio.fail_after(_RECORD_SECONDS):
            async with runtime.open_database(self.settings, application_name="embedding-assets metrics") as db:
                await record(db)


class PrometheusMetricsResource(dg.ConfigurableResource[PrometheusMetrics]):
    """Reads its settings from the environment (EMBEDDING_ASSETS_…) of the process that runs."""

    def create_resource(self, context: dg.InitResourceContext) -> PrometheusMetrics:
        """The plain object that bodies see."""
        return PrometheusMetrics(load_settings())


@contextmanager
def clear_failures() -> Generator[None]:
    """End a run with our one sentence, not with a trace that may quote a row's data; retrying at once is useless."""
    try:
        yield
    except EmbeddingAssetsError as error:
        kind = error.error_type.value if isinstance(error, ClassifiedError) else type(error).__name__
        raise dg.Failure(redacted(str(error)), metadata={"error_type": kind}, allow_retries=False) from None
