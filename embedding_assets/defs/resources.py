"""The one resource: opens workbenches and the database from settings; and how our errors end a run.

A test or another code location may put any `Workbenches` in its place.
"""

from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass

import dagster as dg

from embedding_assets import runtime
from embedding_assets.domain.failures import ClassifiedError, EmbeddingAssetsError
from embedding_assets.domain.redaction import redacted
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.settings import Settings, load_settings
from embedding_assets.store.database import Database

RESOURCE_KEY = "workbenches"


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


@contextmanager
def clear_failures() -> Generator[None]:
    """End a run with our one sentence, not with a trace that may quote a row's data; retrying at once is useless."""
    try:
        yield
    except EmbeddingAssetsError as error:
        kind = error.error_type.value if isinstance(error, ClassifiedError) else type(error).__name__
        raise dg.Failure(redacted(str(error)), metadata={"error_type": kind}, allow_retries=False) from None
