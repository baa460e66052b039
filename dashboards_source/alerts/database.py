"""Alerts about PostgreSQL: out of connections, refusing or away; and about the exporter that tells of it."""

from dashboards_source.alert import Alert, Owner, Severity
from dashboards_source.alerts.queue import STALLED

_STOPPED = (*STALLED, "EmbeddingDatabaseErrors", "EmbeddingWorkersDying")

CONNECTIONS_EXHAUSTED = Alert(
    "EmbeddingDatabaseConnectionsExhausted",
    Severity.PAGE,
    Owner.DATABASE,
    """max_over_time((sum(embedding_database_connections) / max(embedding_database_max_connections))[5m:15s]) > 0.95
or sum(embedding_database_connections) / max(embedding_database_max_connections) > 0.9""",
    "1m",
    "{{ $value | humanizePercentage }} of PostgreSQL's connections are taken",
    "Three of a hundred are the superuser's alone: above 95 % a burst is refused, and seen for five minutes however short it was; "
    "above 90 % the next burst will be.",
    hides=_STOPPED,
)
DATABASE_ERRORS = Alert(
    "EmbeddingDatabaseErrors",
    Severity.TICKET,
    Owner.DATABASE,
    'sum by (error_type) (increase(embedding_errors_total{error_type=~"database_.+"}[15m])) >= 3',
    "0s",
    "Workers cannot use PostgreSQL ({{ $labels.error_type }}), {{ $value | humanize }} times in 15 minutes",
    "A restart or a failover is met once by each run in progress; three times is another matter.",
)
DATABASE_DOWN = Alert(
    "EmbeddingDatabaseDown",
    Severity.PAGE,
    Owner.DATABASE,
    "max(embedding_exporter_database_up) == 0",
    "2m",
    "The exporter cannot reach PostgreSQL: nothing is processed and nothing is known",
    "A failover of a managed PostgreSQL takes a minute.",
    hides=_STOPPED,
)
EXPORTER_DOWN = Alert(
    "EmbeddingExporterDown",
    Severity.PAGE,
    Owner.PIPELINE,
    "absent(embedding_exporter_database_up)",
    "5m",
    "Nobody scrapes our metrics: every other alert is blind",
    "A rollout of the one replica takes less than two minutes; a scrape that is away for five hides everything else.",
)

ALERTS = (CONNECTIONS_EXHAUSTED, DATABASE_ERRORS, DATABASE_DOWN, EXPORTER_DOWN)
