"""What a vector index needs, and what to do where it does not get it."""

from dataclasses import replace

import pytest

from embedding_assets.domain.index_health import IndexHealth, graph_bytes

WELL = IndexHealth(100_000, 2e8, 3e8, True, 0.99, 0.01, 2e8, 1e9, 1e9, 4e9)


@pytest.mark.parametrize(
    ("rows", "dimensions", "storage"), [(4824, 256, "vector"), (1219, 1536, "vector"), (3036, 1024, "halfvec")]
)
def test_the_graph_takes_what_pgvector_was_seen_to_need(rows: float, dimensions: int, storage: str) -> None:
    # With so many vectors pgvector said that 8 MB no longer held the graph.
    assert graph_bytes(rows, dimensions, storage, 16) == pytest.approx(8 * 2**20, rel=0.04)


def test_a_healthy_index_needs_nothing() -> None:
    assert list(WELL.advice) == []


@pytest.mark.parametrize(
    ("but", "words"),
    [
        ({"valid": False}, "not valid"),
        ({"index_bytes": 5e9}, "effective_cache_size"),
        ({"graph_bytes": 2e9}, "maintenance_work_mem"),
        ({"dead_part": 0.5}, "VACUUM"),
    ],
)
def test_each_trouble_has_its_advice(but: dict[str, object], words: str) -> None:
    [advice] = replace(WELL, **but).advice
    assert words in advice
