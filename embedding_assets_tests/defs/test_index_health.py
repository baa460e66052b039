"""The daily look at the vector index in Dagster."""

from typing import Any

import dagster as dg

from embedding_assets_tests.support.code_location import CodeLocation


def looked(location: CodeLocation) -> dict[str, Any]:
    assert location.run_job("docs__index_health").success
    event = location.instance.get_latest_materialization_event(dg.AssetKey(["docs", "index_health"]))
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_before_anything_is_stored_it_says_so(location: CodeLocation) -> None:
    assert looked(location) == {"state": "nothing is stored yet"}


def test_a_small_collection_needs_no_index_and_its_sizes_are_told(published: CodeLocation) -> None:
    told = looked(published)
    assert told["index"] == "none: exact order is used"
    assert told["vectors"] > 0
    assert 0 < told["table_megabytes"] < told["effective_cache_size_megabytes"]
    assert 0 < told["build_needs_megabytes"] < told["maintenance_work_mem_megabytes"]
    assert told["advice"] == "all is well"
