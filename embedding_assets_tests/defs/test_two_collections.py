"""Two collections in one code location: each has its own schedule, job, table, model and budget, and neither stops the other."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from embedding_assets import runtime
from embedding_assets.definitions import build_defs
from embedding_assets.settings import Settings
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import write_documents
from embedding_assets_tests.support.code_location import ALL_SHARDS, CodeLocation

_DOCUMENTS = 6
_TOML = """\
[collections.docs]
source = {{ type = "directory", path = "{corpus}" }}
chunking = {{ size = 120, overlap = 0 }}
model = {{ name = "local/wordllama-256", dimensions = 256, normalized = true }}
{docs_budget}

[collections.notes]
limit = "provider"
weight = 3.0
poll_interval = 60
source = {{ type = "directory", path = "{corpus}" }}
chunking = {{ size = 300, overlap = 0 }}
model = {{ name = "openai/simulated", dimensions = {dimensions}, storage = "halfvec" }}

[limits.provider]
requests_per_minute = 1000
"""


@pytest.fixture
def provider() -> Iterator[Simulator]:
    """Honest."""
    with Simulator() as simulator:
        yield simulator


def _location(
    database_url: str, tmp_path: Path, instance: dg.DagsterInstance, provider: Simulator, docs_budget: str = ""
) -> CodeLocation:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_documents(corpus, _DOCUMENTS)
    file = tmp_path / "collections.toml"
    file.write_text(_TOML.format(corpus=corpus, dimensions=provider.dimensions, docs_budget=docs_budget))
    settings = Settings(
        database_url=SecretStr(database_url),
        home=tmp_path / "home",
        collections_file=file,
        pool_size=4,
        api_base=provider.api_base,
        api_key=SecretStr("a-key"),
    )
    asyncio.run(runtime.apply_collections(settings, runtime.collections_file(settings)))
    return CodeLocation(settings, corpus, build_defs(settings=settings), instance)


def _process(location: CodeLocation, collection: str) -> None:
    location.run_job(f"{collection}__sync_sources")
    location.run_job(
        f"{collection}__embed_documents",
        tags=ALL_SHARDS,
        run_config={"ops": {f"{collection}__documents": {"config": {"retrack": False}}}},
    )


def _published(location: CodeLocation) -> dict[str, int]:
    rows = location.rows(
        "SELECT c.name, count(p.*) FROM embedding_assets.collections AS c LEFT JOIN embedding_assets.publications AS p "
        "ON p.collection_id = c.id GROUP BY 1"
    )
    return dict(rows)


def test_each_has_its_own_schedules_jobs_table_and_model(
    database_url: str, tmp_path: Path, instance: dg.DagsterInstance, provider: Simulator
) -> None:
    location = _location(database_url, tmp_path, instance, provider)
    repository = location.defs.get_repository_def()
    schedules = {schedule.name: schedule.job_name for schedule in repository.schedule_defs}
    assert schedules["docs__every_minute"] == "docs__embed_documents"
    assert schedules["notes__every_minute"] == "notes__embed_documents"
    _process(location, "docs")
    assert (_published(location), provider.counters().requests) == ({"docs": _DOCUMENTS, "notes": 0}, 0)
    _process(location, "notes")
    assert _published(location) == {"docs": _DOCUMENTS, "notes": _DOCUMENTS}
    assert provider.counters().requests > 0
    assert _tables(location) == [
        ("docs", "local/wordllama-256", "vector(256)"),
        ("notes", "openai/simulated", f"halfvec({provider.dimensions})"),
    ]


def test_a_budget_that_one_has_used_up_stops_that_one_alone(
    database_url: str, tmp_path: Path, instance: dg.DagsterInstance, provider: Simulator
) -> None:
    budget = "budgets = { max_tokens_per_day = 1 }"
    location = _location(database_url, tmp_path, instance, provider, budget)
    _process(location, "docs")
    _process(location, "notes")
    assert _published(location) == {"docs": 0, "notes": _DOCUMENTS}
    assert location.rows("SELECT count(*) FROM embedding_assets.failed_attempts") == [(0,)]


def test_a_model_that_cannot_be_asked_stops_its_own_collection_alone(
    database_url: str, tmp_path: Path, instance: dg.DagsterInstance, provider: Simulator
) -> None:
    location = _location(database_url, tmp_path, instance, provider)
    away = location.settings.model_copy(update={"api_base": "http://127.0.0.1:1/v1"})
    broken = CodeLocation(away, location.corpus, build_defs(settings=away), instance)
    broken.run_job("notes__sync_sources")
    broken.run_job("notes__embed_documents", tags=ALL_SHARDS, raise_on_error=False)
    _process(location, "docs")
    assert _published(location) == {"docs": _DOCUMENTS, "notes": 0}


def _tables(location: CodeLocation) -> list[tuple[object, ...]]:
    return location.rows(
        """
        SELECT c.name, m.name, format_type(a.atttypid, a.atttypmod)
        FROM embedding_assets.collections AS c JOIN embedding_assets.models AS m ON m.id = c.active_model_id
        JOIN pg_attribute AS a ON a.attrelid = ('embedding_assets.embeddings_' || c.id || '_' || m.id)::regclass
        WHERE a.attname = 'embedding' ORDER BY 1
        """
    )
