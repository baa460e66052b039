"""DAGSTER_HOME as we prepare it, read by Dagster itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from embedding_assets.cli.dagster_home import prepare_dagster_home, with_psycopg2
from embedding_assets.cli.demo_run import RunSummary, job_of, run_config, summarise
from embedding_assets.settings import load_settings
from embedding_assets.store.dagster_storage import RecordedNumbers, daemon_heartbeats, recorded_numbers

# A run of Dagster's own kind on this instance: an asset that records numbers for the tag given.
_RUN = """
import dagster as dg

@dg.asset(key=["docs", "raw_documents"])
def raw(context):
    context.add_output_metadata({"documents": 7, "run_seconds": 1.5, "word": "x"})

with dg.DagsterInstance.get() as instance:
    dg.materialize([raw], instance=instance, tags={"the/tag": "this one"})
"""


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_dagsters_url_names_the_driver_it_is_written_for(scheme: str) -> None:
    assert with_psycopg2(f"{scheme}://u:p@h:1/d?x=y") == "postgresql+psycopg2://u:p@h:1/d?x=y"


def test_dagster_runs_on_the_prepared_home_and_its_numbers_are_read_back(
    tmp_path: Path, empty_database_url: str
) -> None:
    settings = load_settings(
        {"EMBEDDING_ASSETS_DATABASE_URL": empty_database_url, "EMBEDDING_ASSETS_HOME": str(tmp_path / "home")}
    )
    home = prepare_dagster_home(settings, empty_database_url)
    assert daemon_heartbeats(empty_database_url) is None
    assert recorded_numbers(empty_database_url, tag="the/tag", value="this one") == []
    subprocess.run([sys.executable, "-c", _RUN], env=dict(home.environment), check=True, capture_output=True)
    assert daemon_heartbeats(empty_database_url) == {}
    assert recorded_numbers(empty_database_url, tag="the/tag", value="this one") == [
        RecordedNumbers("docs/raw_documents", {"documents": 7.0, "run_seconds": 1.5})
    ]
    assert recorded_numbers(empty_database_url, tag="the/tag", value="another") == []


def test_the_demo_names_job_and_step_as_the_code_location_does() -> None:
    program = "from embedding_assets.defs import names as n; print(n.embed_documents_job('docs'), n.embed_documents_step('docs'))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.split() == [job_of("docs"), *run_config("docs")["ops"]]  # pyright: ignore[reportGeneralTypeIssues]


def test_a_summary_adds_shards_up_and_takes_the_runs_seconds_once() -> None:
    recorded = [
        RecordedNumbers("docs/raw_documents", {"documents": 3.0, "unchanged": 3.0, "failed": 1.0, "run_seconds": 2.5}),
        RecordedNumbers("docs/chunks", {"chunks": 10.0, "reused": 4.0, "run_seconds": 2.5}),
        RecordedNumbers("docs/embeddings", {"embedded": 6.0, "documents": 3.0, "run_seconds": 2.5}),
        RecordedNumbers("docs/raw_documents", {"documents": 2.0, "failed": 0.0, "run_seconds": 2.5}),
    ]
    summary = summarise(recorded)
    assert summary == RunSummary(
        documents=5, unchanged=3, deleted=0, failed=1, chunks=10, embedded=6, reused=4, seconds=2.5
    )
    assert summary.documents_per_second == 2.0
    assert summarise([]) == RunSummary(0, 0, 0, 0, 0, 0, 0, 0.0)
