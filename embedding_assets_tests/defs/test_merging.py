"""Our definitions inside another project's: its executor, its resources, its assets beside ours, in one code location."""

from pathlib import Path

import dagster as dg
import pytest

from embedding_assets.definitions import build_defs
from embedding_assets_tests.support.benches import write_documents
from embedding_assets_tests.support.code_location import (
    ALL_SHARDS,
    EMBEDDINGS,
    build_location,
)


class Warehouse(dg.ConfigurableResource["Warehouse"]):
    """Something that another project works with."""

    rows: int


@dg.asset
def orders(warehouse: Warehouse) -> int:
    return warehouse.rows


@dg.asset(deps=[EMBEDDINGS])
def answers() -> None:
    """Another project's asset downstream of ours."""


@dg.job
def nightly() -> None: ...


_THEIRS = dg.Definitions(
    assets=[orders, answers],
    jobs=[nightly],
    resources={"warehouse": Warehouse(rows=3), "io_manager": dg.mem_io_manager},
    executor=dg.multiprocess_executor,
)


@pytest.fixture
def ours(database_url: str, tmp_path: Path, instance: dg.DagsterInstance) -> dg.Definitions:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_documents(corpus, 3)
    return build_defs(settings=build_location(database_url, corpus, instance).settings)


@pytest.fixture
def merged(ours: dg.Definitions) -> dg.Definitions:
    return dg.Definitions.merge(_THEIRS, ours)


def test_our_definitions_merge_into_another_projects_and_load(merged: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(merged)
    assert merged.resolve_job_def("nightly").name == "nightly"
    keys = {key.to_user_string() for key in merged.resolve_all_asset_keys()}
    assert {"orders", "answers", "docs/raw_documents", "docs/chunks", "docs/embeddings"} <= keys


def test_a_run_of_ours_and_one_of_theirs_work_side_by_side(
    merged: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    synced = merged.resolve_job_def("docs__sync_sources").execute_in_process(instance=instance)
    embedded = merged.resolve_job_def("docs__embed_documents").execute_in_process(instance=instance, tags=ALL_SHARDS)
    assert synced.success
    assert embedded.success
    assert instance.get_latest_materialization_event(EMBEDDINGS)
    theirs = dg.materialize([orders], resources={"warehouse": Warehouse(rows=3)}, instance=instance)
    assert theirs.output_for_node("orders") == 3


def test_everything_of_ours_is_named_after_its_collection_or_after_us(ours: dg.Definitions) -> None:
    repository = ours.get_repository_def()
    named = [*repository.job_names, *(one.name for one in repository.schedule_defs)]
    named += [one.name for one in repository.sensor_defs]
    assert len(named) > 10
    assert [name for name in named if not name.startswith(("docs__", "embedding_assets__", "__ASSET_JOB"))] == []
    assert set(ours.resources or {}) == {"workbenches", "embedding_metrics"}
