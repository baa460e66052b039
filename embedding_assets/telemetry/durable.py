"""Counters and histograms: kept in PostgreSQL, added to in the transaction that makes them true."""

from embedding_assets.telemetry.labels import (
    CLAIM_OUTCOME,
    COLLECTION,
    ERROR_TYPE,
    JOB,
    KEPT_BACK_BY,
    LANE,
    LIMIT,
    MODEL,
    OUTCOME,
    PROMISE,
    RESULT,
    STAGE,
    STATUS,
    WAITING,
)
from embedding_assets.telemetry.metric import counter, histogram

# 30 is the latency objective's bound, 3600 the freshness objective's: both must be a bucket's.
DURATION_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0)
LAG_BUCKETS = (60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0)
# A run drains for minutes; upkeep may take hours.
RUN_BUCKETS = (*DURATION_BUCKETS, 600.0, 1800.0, 3600.0, 7200.0)

DOCUMENTS_PROCESSED = counter(
    "embedding_documents_processed_total",
    (COLLECTION, OUTCOME),
    "documents",
    "Documents that came to an end: published, deleted, found unchanged, or failed (once until published or changed).",
)
DOCUMENT_ATTEMPTS = counter(
    "embedding_document_attempts_total",
    (COLLECTION, CLAIM_OUTCOME),
    "claims",
    "Claims that ended, by how; failure is every charged attempt, released spent none, refused came too late to write.",
)
CHANGES = counter(
    "embedding_changes_total",
    (COLLECTION, RESULT),
    "changes",
    "Live changes: published with no charged attempt (success), or charged with their first one (failure), once each.",
)
ARRIVALS = counter(
    "embedding_arrivals_total",
    (COLLECTION, LANE),
    "references",
    "References taken into the queue, repeated ones included.",
)
CHUNKS_PROCESSED = counter(
    "embedding_chunks_processed_total", (COLLECTION,), "chunks", "Chunks published, with vectors new or stored before."
)
CHUNKS_REUSED = counter(
    "embedding_chunks_reused_total", (COLLECTION,), "chunks", "Chunks published with a vector that was stored before."
)
TOKENS = counter("embedding_tokens_total", (MODEL,), "tokens", "Model tokens of requests that were answered.")
COST_USD = counter("embedding_cost_usd_total", (MODEL,), "USD", "Money that requests cost, as entered against budgets.")
API_REQUESTS = counter(
    "embedding_api_requests_total",
    (MODEL, STATUS),
    "requests",
    "Requests to the provider, by HTTP status, or by how no answer came.",
)
ERRORS = counter(
    "embedding_errors_total",
    (COLLECTION, STAGE, ERROR_TYPE),
    "errors",
    "Failures: one for each charged attempt, and one for each that charged nobody (systemic ones, a refused request).",
)
DOCUMENTS_ESCALATED = counter(
    "embedding_documents_escalated_total",
    (COLLECTION,),
    "documents",
    "Documents given to a person after their last retry.",
)
FRESHNESS_SLA_DOCUMENTS = counter(
    "embedding_freshness_sla_documents_total",
    (COLLECTION, PROMISE),
    "promises",
    "Promises of freshness that ended: published in time (met), or not published at the deadline (missed), once each.",
)
THROTTLED_SECONDS = counter(
    "embedding_rate_limit_throttled_seconds_total",
    (LIMIT, KEPT_BACK_BY),
    "seconds",
    "Seconds that requests waited for the limit, by what kept them back; added up over workers.",
)
REJECTIONS = counter(
    "embedding_rate_limit_rejections_total",
    (LIMIT, KEPT_BACK_BY),
    "reserves",
    "Reserves that the limit or a budget refused, by what kept them back.",
)

DOCUMENT_DURATION = histogram(
    "embedding_document_duration_seconds",
    (COLLECTION, WAITING),
    "Claim to publication of one document; waiting for the limit included or excluded.",
    DURATION_BUCKETS,
)
STAGE_DURATION = histogram(
    "embedding_stage_duration_seconds",
    (STAGE,),
    "Time that one document spent in a stage, waiting in it included.",
    DURATION_BUCKETS,
)
API_REQUEST_DURATION = histogram(
    "embedding_api_request_duration_seconds", (MODEL,), "Time of one request to the provider.", DURATION_BUCKETS
)
QUEUE_WAIT = histogram(
    "embedding_queue_wait_seconds", (LANE,), "From a reference's arrival to the claim that ended it.", LAG_BUCKETS
)
FRESHNESS_LAG = histogram(
    "embedding_freshness_lag_seconds",
    (COLLECTION,),
    "From a live change at the source to its publication.",
    LAG_BUCKETS,
)
RUN_DURATION = histogram(
    "embedding_run_duration_seconds",
    (JOB, COLLECTION),
    "Time of one run, whether it succeeded or failed.",
    RUN_BUCKETS,
)

DURABLE = (
    DOCUMENTS_PROCESSED,
    DOCUMENT_ATTEMPTS,
    CHANGES,
    ARRIVALS,
    CHUNKS_PROCESSED,
    CHUNKS_REUSED,
    TOKENS,
    COST_USD,
    API_REQUESTS,
    ERRORS,
    DOCUMENTS_ESCALATED,
    FRESHNESS_SLA_DOCUMENTS,
    THROTTLED_SECONDS,
    REJECTIONS,
    DOCUMENT_DURATION,
    STAGE_DURATION,
    API_REQUEST_DURATION,
    QUEUE_WAIT,
    FRESHNESS_LAG,
    RUN_DURATION,
)
