"""Our code location over a folder, the local model and the test's own database, with an instance of Dagster in memory.

Not here: a server of Dagster's; runs happen in this process.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
from dagster._core.storage.runs.schema import RunsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from pydantic import SecretStr
from typing_extensions import LiteralString

from embedding_assets import runtime
from embedding_assets.definitions import build_defs
from embedding_assets.defs.names import embed_documents_job, embed_documents_step, sync_sources_job
from embedding_assets.defs.partitions import range_tags
from embedding_assets.defs.resources import Workbenches
from embedding_assets.settings import Settings

RAW, CHUNKS, EMBEDDINGS = (dg.AssetKey(["docs", name]) for name in ("raw_documents", "chunks", "embeddings"))
ALL = (RAW, CHUNKS, EMBEDDINGS)
ALL_SHARDS = range_tags()

COLLECTIONS = """\
[collections.docs]
owner = "team:search"
{more}
source = {{ type = "directory", path = "{corpus}" }}
chunking = {{ size = 120, overlap = 0 }}
model = {model}
"""
LOCAL_MODEL = '{ name = "local/wordllama-256", dimensions = 256, normalized = true }'


@dataclass(frozen=True, slots=True)
class CodeLocation:
    """Collection `docs` of a folder. `defs` are built from `settings`, `instance` remembers runs and events."""

    settings: Settings
    corpus: Path
    defs: dg.Definitions
    instance: dg.DagsterInstance

    @property
    def workbenches(self) -> Workbenches:
        """What bodies and ticks work with."""
        return Workbenches(self.settings)

    def sync(self, **config: object) -> dg.ExecuteInProcessResult:
        """Poll the source by its job."""
        run_config = {"ops": {"docs__poll_source": {"config": config}}}
        return self.run_job(sync_sources_job("docs"), run_config=run_config)

    def embed(
        self,
        *assets: dg.AssetKey,
        tags: Mapping[str, str] = ALL_SHARDS,
        raise_on_error: bool = True,
        **config: object,
    ) -> dg.ExecuteInProcessResult:
        """Materialize these assets (all three when none is named) over these partitions."""
        run_config = {"ops": {embed_documents_step("docs"): {"config": config}}}
        return self.run_job(
            embed_documents_job("docs"), run_config=run_config, tags=tags, assets=assets, raise_on_error=raise_on_error
        )

    def run_job(
        self,
        name: str,
        *,
        run_config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        assets: Sequence[dg.AssetKey] = (),
        raise_on_error: bool = True,
    ) -> dg.ExecuteInProcessResult:
        """One run of a job in this process."""
        return self.defs.resolve_job_def(name).execute_in_process(
            instance=self.instance,
            run_config=run_config,
            tags=tags,
            asset_selection=list(assets) or None,
            raise_on_error=raise_on_error,
        )

    def rows(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a query on our tables."""
        url = self.settings.database_url.get_secret_value()
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def break_a_promise(self) -> None:
        """Plant a live change of a document that is in no queue, an hour past its deadline."""
        self.rows(
            """
            INSERT INTO embedding_assets.obligations (collection_id, document_key, due_from, deadline, generation)
            SELECT id, 'elsewhere.md', now() - interval '2 hours', now() - interval '1 hour', 0
            FROM embedding_assets.collections
            """
        )

    def without_database(self) -> "CodeLocation":
        """The same, connected to a port where nothing listens."""
        nowhere = self.settings.model_copy(
            update={"database_url": SecretStr("postgresql://nobody@127.0.0.1:1/nothing")}
        )
        return replace(self, settings=nowhere)

    def start_run_ago(self, run_id: str, *, minutes: float) -> None:
        """Make Dagster believe that the run has been at work so long."""
        started = (datetime.now(timezone.utc) - timedelta(minutes=minutes)).timestamp()
        self._change_run(run_id, start_time=started)

    def age_run(self, run_id: str, *, hours: float) -> None:
        """Make Dagster believe that the run was created so much earlier."""
        self._change_run(run_id, create_timestamp=datetime.now(timezone.utc) - timedelta(hours=hours))

    def _change_run(self, run_id: str, **values: object) -> None:
        storage = self.instance.run_storage
        assert isinstance(storage, SqlRunStorage)
        with storage.connect() as connection:
            connection.execute(RunsTable.update().where(RunsTable.c.run_id == run_id).values(**values))


def build_location(
    database_url: str,
    corpus: Path,
    instance: dg.DagsterInstance,
    *,
    more: str = "",
    model: str = LOCAL_MODEL,
    **settings: Any,
) -> CodeLocation:
    """Write the collections file beside the corpus and apply it; `more` goes into the collection's table."""
    file = corpus.parent / "collections.toml"
    file.write_text(COLLECTIONS.format(corpus=corpus, more=more, model=model), encoding="utf-8")
    chosen = Settings(
        database_url=SecretStr(database_url),
        home=corpus.parent / "home",
        collections_file=file,
        pool_size=4,
        **settings,
    )
    asyncio.run(runtime.apply_collections(chosen, runtime.collections_file(chosen)))
    return CodeLocation(chosen, corpus, build_defs(settings=chosen), instance)


def recorded(
    result: dg.ExecuteInProcessResult, kind: dg.DagsterEventType = dg.DagsterEventType.ASSET_MATERIALIZATION
) -> set[tuple[dg.AssetKey, str | None]]:
    """(asset, partition) of the run's events of this kind."""
    found = [event for event in result.all_events if event.event_type is kind]
    return {(event.asset_key, event.partition) for event in found if event.asset_key}
