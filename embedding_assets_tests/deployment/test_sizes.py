"""The table of sizes: its arithmetic held to a real index, its numbers to the values that name them."""

import psycopg
import pytest

from embedding_assets_tests.contracts.dump_sizes import (
    DEPLOYMENT_FILE,
    LARGE,
    MEDIUM,
    SIZES,
    index_bytes,
    page_with_sizes,
    table_bytes,
)
from embedding_assets_tests.support.helm import values_of


def gib(text: str) -> int:
    return int(text.removesuffix("Gi"))


def test_the_page_is_in_step() -> None:
    page = DEPLOYMENT_FILE.read_text(encoding="utf-8")
    assert page_with_sizes(page) == page


@pytest.mark.parametrize(
    ("dimensions", "half", "index", "table"),
    [
        # Measured, bytes a vector: 20,000, 8,000, 4,000, 4,000 and 3,000 random vectors; pgvector 0.8.5.
        (256, False, 1366, 1248),
        (768, False, 4097, 4280),
        (1536, False, 8194, 8387),
        (1536, True, 4098, 4291),
        (3072, True, 8195, 8413),
    ],
)
def test_the_arithmetic_is_within_a_tenth_of_what_was_measured(
    dimensions: int,
    half: bool,  # noqa: FBT001
    index: int,
    table: int,
) -> None:
    assert index_bytes(dimensions, half=half) == pytest.approx(index, rel=0.05)
    assert table_bytes(dimensions, half=half) == pytest.approx(table, rel=0.10)


def test_an_index_made_here_is_as_large_as_that(database_url: str) -> None:
    count, dimensions = 600, 384
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE sample (embedding vector(384))")
        connection.execute(
            "INSERT INTO sample SELECT array_agg(random()::real)::vector FROM generate_series(1, 600) AS i, "
            "generate_series(1, 384) GROUP BY i"
        )
        connection.execute("CREATE INDEX sample_index ON sample USING hnsw (embedding vector_cosine_ops)")
        row = connection.execute("SELECT pg_relation_size('sample_index')").fetchone()
    assert row
    assert row[0] / count == pytest.approx(index_bytes(dimensions), rel=0.1)


def test_the_values_are_those_of_the_medium_size() -> None:
    postgres, dagster = values_of("postgres-cnpg.yaml")["cluster"], values_of("dagster.yaml")
    queue = dagster["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert queue["maxConcurrentRuns"] == MEDIUM.runs
    assert int(postgres["postgresql"]["parameters"]["max_connections"]) == MEDIUM.max_connections
    assert [role["connectionLimit"] for role in postgres["roles"] if role["name"] == "dagster"] == [
        MEDIUM.dagster_connections
    ]
    assert gib(postgres["resources"]["limits"]["memory"]) >= MEDIUM.memory_gib
    assert gib(postgres["storage"]["size"]) >= MEDIUM.disk_gib


def test_more_runs_never_need_fewer_connections_and_half_vectors_need_less_memory() -> None:
    assert [one.max_connections for one in SIZES] == sorted(one.max_connections for one in SIZES)
    assert index_bytes(768, half=True) < index_bytes(768)
    assert LARGE.half
