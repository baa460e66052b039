"""Panels that stand on more than one page."""

from dashboards_source.grafana.panel import Kind, Panel, Query
from dashboards_source.grafana.words import LATE, OF, quantile, rate, red_from, total, warn_then_red
from embedding_assets.domain.slo import OBJECTIVES, burn_rate_query

_PER_HOUR = "suffix: /h"
# A line ten times above the lowest holds nobody up, and would flatten everything below it.
CAPACITY = (
    "max by (constraint) (embedding_capacity_documents_per_hour)"
    " < 10 * scalar(min(embedding_capacity_documents_per_hour))"
)

THROUGHPUT = Panel(
    "Throughput against capacity",
    "Documents that ended each hour, by how, below dashed lines of what the limit, the workers and storing alone would let "
    "through. Near a line, that is what holds the pipeline up.",
    (
        Query(f"{rate('embedding_documents_processed_total', 'outcome')} * 3600", "{{outcome}}"),
        Query(CAPACITY, "capacity: {{constraint}}"),
    ),
    _PER_HOUR,
    width=12,
    height=9,
    dashed="/^capacity/",
    alert="EmbeddingCapacityExhaustedSoon",
)
QUEUE = Panel(
    "Queue depth",
    "References that are to be processed. It should come back down: live work after each wave of changes, backfill steadily.",
    (Query(total("embedding_queue_documents", "lane"), "{{lane}}"),),
    "short",
    width=12,
    height=9,
    alert="EmbeddingQueueGrowing",
)
OLDEST = Panel(
    "Oldest item in the queue",
    "Age of the oldest reference. A live one has an hour; at half of it (orange) somebody is paged.",
    (Query(f"max by (lane) (embedding_queue_oldest_age_seconds{{{OF}}})", "{{lane}}"),),
    "s",
    steps=warn_then_red(LATE / 2, LATE),
    alert="EmbeddingOldestItemLate",
)
LAG = Panel(
    "Freshness lag",
    "From a live change at the source to its publication. The promise is an hour.",
    (
        Query(quantile(0.5, "embedding_freshness_lag_seconds"), "p50"),
        Query(quantile(0.95, "embedding_freshness_lag_seconds"), "p95"),
    ),
    "s",
    steps=red_from(LATE),
    alert="EmbeddingFreshnessBudgetBurn",
)
DOCUMENT_P95 = Panel(
    "Time of one document, p95, against 30 s",
    "Claim to publication. The promise counts waiting for the limit in; without it, it is our own work.",
    tuple(
        Query(
            quantile(0.95, "embedding_document_duration_seconds", where=f'{OF},waiting="{waiting}"'),
            f"waiting {waiting}",
        )
        for waiting in ("included", "excluded")
    ),
    "s",
    steps=red_from(30),
    alert="EmbeddingLatencyBudgetBurn",
)
BURN = Panel(
    "Error budget burn, last hour",
    "How many times too fast the budget burns: 1 spends it exactly in thirty days. Above 6 for six hours or 14.4 for one, "
    "somebody is paged.",
    tuple(Query(burn_rate_query(objective, "1h"), objective.name) for objective in OBJECTIVES),
    "suffix: x",
    steps=warn_then_red(6, 14.4),
    alert="EmbeddingFreshnessBudgetBurn",
)
CIRCUITS = Panel(
    "Circuits",
    "Open while nobody claims for a provider or a source, with the reason: it is away, or refused our credentials.",
    (Query("max by (provider, reason) (embedding_circuit_open)", "{{provider}}: {{reason}}"),),
    "short",
    kind=Kind.STATES,
    steps=red_from(1),
    alert="EmbeddingProviderDown",
)
