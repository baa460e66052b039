"""The page of the pipeline at work: what comes and goes, where time is spent, how fresh it is, which runs there are."""

from dashboards_source.grafana.panel import Kind, Page, Panel, Query, Row
from dashboards_source.grafana.shared_panels import DOCUMENT_P95, LAG, OLDEST, QUEUE, THROUGHPUT
from dashboards_source.grafana.words import OF, mean, quantile, rate, red_from, total

_COMES_AND_GOES = Panel(
    "Arrivals and ends",
    "References that arrive each hour, and documents that end. Ends below arrivals for long is a queue that grows.",
    (
        Query(f"{rate('embedding_arrivals_total', 'lane')} * 3600", "arrived: {{lane}}"),
        Query(f"{rate('embedding_documents_processed_total')} * 3600", "ended"),
    ),
    "suffix: /h",
    alert="EmbeddingQueueGrowing",
)
_STATES = Panel(
    "Queue by state",
    "Arrived: told by a producer, not yet in the queue. Waiting: nobody's. Leased: a run works on it.",
    (Query(total("embedding_queue_documents", "state"), "{{state}}"),),
    "short",
    stacked=True,
)
_WAIT = Panel(
    "Time in the queue, p95",
    "From a reference's arrival to the claim that ended it.",
    (Query(quantile(0.95, "embedding_queue_wait_seconds", "lane", where=""), "{{lane}}"),),
    "s",
)
_LEASES = Panel(
    "Expired leases",
    "Claims whose worker died or hung. They are claimed again by themselves; many of them are a worker that keeps dying.",
    (Query("max(embedding_queue_expired_leases)", "expired leases"),),
    "short",
    alert="EmbeddingWorkersDying",
)
_STAGE_P95 = Panel(
    "Stages, p95",
    "One document (fetching, chunking), one request and its checks (embedding), one settle of up to fifty documents (storage).",
    (Query(quantile(0.95, "embedding_stage_duration_seconds", "stage", where=""), "{{stage}}"),),
    "s",
    width=12,
)
_STAGE_MEAN = Panel(
    "Where time goes: mean of each stage",
    "Stacked, for their parts. They overlap: a document waits for none but its own.",
    (Query(mean("embedding_stage_duration_seconds", "stage", where=""), "{{stage}}"),),
    "s",
    width=12,
    stacked=True,
)
_REQUESTS = Panel(
    "Requests to the provider",
    "Time of one request.",
    (
        Query(quantile(0.5, "embedding_api_request_duration_seconds", "model", where=""), "{{model}} p50"),
        Query(quantile(0.95, "embedding_api_request_duration_seconds", "model", where=""), "{{model}} p95"),
    ),
    "s",
    alert="EmbeddingProviderSlow",
)
_DOCUMENTS = Panel(
    "Time of documents, waiting included",
    "Each column is how many documents took how long.",
    (
        Query(
            f'sum by (le) (increase(embedding_document_duration_seconds_bucket{{{OF},waiting="included"}}[$__rate_interval]))',
            "{{le}}",
            buckets=True,
        ),
    ),
    "s",
    kind=Kind.HEATMAP,
)
_CHUNKS = Panel(
    "Chunks",
    "Published each hour, and of them those whose vector was there already: they cost nothing.",
    (
        Query(f"{rate('embedding_chunks_processed_total')} * 3600", "published"),
        Query(f"{rate('embedding_chunks_reused_total')} * 3600", "reused"),
    ),
    "suffix: /h",
)
_PROMISES = Panel(
    "Freshness promises that ended",
    "Each hour: met within the hour, or missed.",
    (Query(f"{rate('embedding_freshness_sla_documents_total', 'result')} * 3600", "{{result}}"),),
    "suffix: /h",
    stacked=True,
    alert="EmbeddingFreshnessBudgetBurn",
)
_COMPLIANCE = Panel(
    "Freshness compliance by collection",
    "Of the promises that ended in the last hour, those that were met. 99 % of thirty days are promised.",
    (
        Query(
            f'sum by (collection) (increase(embedding_freshness_sla_documents_total{{{OF},result="met"}}[1h]))'
            f" / (sum by (collection) (increase(embedding_freshness_sla_documents_total{{{OF}}}[1h])) > 0)",
            "{{collection}}",
        ),
    ),
    "percentunit",
    most=1,
    alert="EmbeddingFreshnessBudgetBurn",
)
_OVERDUE = Panel(
    "Overdue",
    "Live changes past their deadline and not published.",
    (Query(total("embedding_documents_overdue", "collection"), "{{collection}}"),),
    "short",
    steps=red_from(1),
    alert="EmbeddingFreshnessBudgetBurn",
    width=12,
)
_SOURCES = Panel(
    "Sources",
    "Since a source was last listed to its end, and since a change of it was last seen.",
    (
        Query(
            f"time() - max by (collection) (embedding_source_last_poll_timestamp_seconds{{{OF}}})",
            "{{collection}}: polled",
        ),
        Query(
            f"time() - max by (collection) (embedding_source_last_change_timestamp_seconds{{{OF}}})",
            "{{collection}}: changed",
        ),
    ),
    "s",
    alert="EmbeddingSourceNotPolled",
    width=12,
)
_RUN_TIME = Panel(
    "Runs, p95",
    "Time of one run by kind.",
    (Query(quantile(0.95, "embedding_run_duration_seconds", "job"), "{{job}}"),),
    "s",
)
_RUN_SUCCESS = Panel(
    "Since a run last succeeded",
    "By kind. A kind that never ran is missing.",
    (
        Query(
            f"time() - max by (job, collection) (embedding_run_last_success_timestamp_seconds{{{OF}}})",
            "{{collection}}: {{job}}",
        ),
    ),
    "s",
    alert="EmbeddingNoRunSucceeding",
)
_SCHEDULER = Panel(
    "Since Dagster last looked",
    "Schedules and sensors look every minute. Above five minutes nothing starts by itself.",
    (Query("time() - max(embedding_scheduler_last_tick_timestamp_seconds)", "last tick"),),
    "s",
    steps=red_from(300),
    alert="EmbeddingSchedulerStopped",
)

PAGE = Page(
    "embedding-pipeline",
    "Embedding Assets: pipeline",
    "What comes and goes, where time is spent, how fresh it is, which runs there are.",
    (
        Row("What comes and goes", (THROUGHPUT, QUEUE, _COMES_AND_GOES, _STATES, OLDEST, _WAIT, _LEASES, _CHUNKS)),
        Row("Where time is spent", (_STAGE_P95, _STAGE_MEAN, _REQUESTS, DOCUMENT_P95, _DOCUMENTS)),
        Row("How fresh it is", (LAG, _PROMISES, _COMPLIANCE, _OVERDUE, _SOURCES)),
        Row("Runs", (_RUN_TIME, _RUN_SUCCESS, _SCHEDULER)),
    ),
)
