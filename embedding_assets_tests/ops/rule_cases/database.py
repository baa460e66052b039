"""Histories of PostgreSQL and of the exporter: out of connections, failing workers, away."""

from embedding_assets_tests.ops.rule_cases.case import Case, fires, silent

_OURS = 'embedding_database_connections{application="embedding-assets run",state="active"}'
_OTHERS = 'embedding_database_connections{application="other",state="idle"}'
_MOST = "embedding_database_max_connections"


def _errors(error_type: str) -> str:
    return f'embedding_errors_total{{collection="docs",stage="storage",error_type="{error_type}"}}'


CASES = (
    fires(
        "EmbeddingDatabaseConnectionsExhausted",
        "ninety-two of a hundred are taken",
        "3m",
        {_OURS: "30x20", _OTHERS: "62x20", _MOST: "100x20"},
    ),
    fires(
        "EmbeddingDatabaseConnectionsExhausted",
        "a burst of a minute took ninety-seven of a hundred",
        "7m",
        {_OURS: "30x20", _OTHERS: "20x3 67 20x20", _MOST: "100x20"},
    ),
    silent(
        "EmbeddingDatabaseConnectionsExhausted",
        "a burst of a minute took ninety-four, and eighty-eight stay",
        "7m",
        {_OURS: "30x20", _OTHERS: "58x3 64 58x20", _MOST: "100x20"},
    ),
    fires(
        "EmbeddingDatabaseErrors", "three runs lost the database", "6m", {_errors("database_unavailable"): "0 1 2 3x20"}
    ),
    fires("EmbeddingDatabaseErrors", "locks were waited for in vain", "9m", {_errors("database_busy"): "0x2 4x20"}),
    silent("EmbeddingDatabaseErrors", "a failover met two runs", "6m", {_errors("database_unavailable"): "0 1 2x20"}),
    Case("EmbeddingDatabaseDown", "it is away for five minutes", "8m", {}, ("EmbeddingDatabaseDown",), up="1x3 0x20"),
    Case("EmbeddingDatabaseDown", "a failover takes a minute", "6m", {}, up="1x3 0 1x20"),
    Case(
        "EmbeddingExporterDown",
        "nothing is scraped any more",
        "15m",
        {},
        ("EmbeddingExporterDown",),
        up="1x3 stale _x20",
    ),
    Case("EmbeddingExporterDown", "a rollout takes three minutes", "8m", {}, up="1x3 stale _x2 1x20"),
)
