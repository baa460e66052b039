"""Gauges: read from PostgreSQL at a scrape, by an index or from deltas, never by counting a queue."""

from embedding_assets.telemetry.durable import LAG_BUCKETS
from embedding_assets.telemetry.labels import (
    ATTEMPT,
    CHECK,
    COLLECTION,
    CONNECTION_STATE,
    CONSTRAINT,
    JOB,
    LANE,
    LIMIT,
    MODEL,
    OPEN_STATUS,
    PERIOD,
    QUEUE_STATE,
    RESOURCE,
)
from embedding_assets.telemetry.metric import Kind, Label, Metric, gauge

QUEUE_DOCUMENTS = gauge(
    "embedding_queue_documents", (COLLECTION, LANE, QUEUE_STATE), "documents", "References that are to be processed."
)
QUEUE_OLDEST_AGE = gauge(
    "embedding_queue_oldest_age_seconds",
    (COLLECTION, LANE),
    "seconds",
    "Age of the oldest reference that is to be processed; 0 while there is none.",
)
QUEUE_EXPIRED_LEASES = gauge(
    "embedding_queue_expired_leases", (), "leases", "Leases that ended without a settle: their workers died or hung."
)
LIMIT_PER_MINUTE = gauge(
    "embedding_rate_limit_per_minute", (LIMIT, RESOURCE), "per minute", "Size of the shared limit, everybody together."
)
LIMIT_CEILING_PER_MINUTE = gauge(
    "embedding_rate_limit_ceiling_per_minute",
    (LIMIT, RESOURCE),
    "per minute",
    "What this pipeline may use of the limit: its share, or what a refusal of the provider left of it.",
)
LIMIT_USED_PER_MINUTE = gauge(
    "embedding_rate_limit_used_per_minute",
    (LIMIT, RESOURCE),
    "per minute",
    "What this pipeline used of the limit in the trailing minute.",
)
LIMIT_USED_BY_ALL_PER_MINUTE = gauge(
    "embedding_rate_limit_used_by_all_per_minute",
    (LIMIT, RESOURCE),
    "per minute",
    "What everybody together used of the limit in the trailing minute.",
)
DOCUMENTS_TRACKED = gauge(
    "embedding_documents_tracked", (COLLECTION,), "documents", "Documents that are stored and not deleted."
)
DOCUMENTS_OVERDUE = gauge(
    "embedding_documents_overdue", (COLLECTION,), "documents", "Live changes past their deadline and not published."
)
SOURCE_LAST_CHANGE = gauge(
    "embedding_source_last_change_timestamp_seconds",
    (COLLECTION,),
    "seconds since 1970",
    "When a change of the source was last seen.",
)
SOURCE_LAST_POLL = gauge(
    "embedding_source_last_poll_timestamp_seconds",
    (COLLECTION,),
    "seconds since 1970",
    "When the source was last listed to its end.",
)
COLLECTION_PAUSED = gauge(
    "embedding_collection_paused",
    (COLLECTION,),
    "",
    "1 while a collection's settings pause it: nothing is started for it.",
)
FAILED_DOCUMENTS = gauge(
    "embedding_failed_documents",
    (OPEN_STATUS, ATTEMPT),
    "documents",
    "Documents that failed and are neither published nor dismissed, by the attempts of this episode.",
)
FAILED_DOCUMENT_AGE = Metric(
    "embedding_failed_document_age_seconds",
    Kind.GAUGE_HISTOGRAM,
    (OPEN_STATUS,),
    "seconds",
    "Ages, since their first failure, of the documents that failed and are neither published nor dismissed.",
    (*LAG_BUCKETS, 259_200.0, 604_800.0),
)
CAPACITY = gauge(
    "embedding_capacity_documents_per_hour",
    (CONSTRAINT,),
    "documents per hour",
    "What each constraint alone would let through.",
)
FORECAST = gauge(
    "embedding_forecast_documents_per_hour",
    (Label("horizon"), Label("estimate")),
    "documents per hour",
    "Arrivals that are expected so far ahead.",
)
FORECAST_EXHAUSTION = gauge(
    "embedding_forecast_exhaustion_timestamp_seconds",
    (Label("resource"),),
    "seconds since 1970",
    "When a resource is expected to run out; absent while that is not in sight.",
)
INDEX_SIZE = gauge("embedding_index_size_bytes", (Label("index"),), "bytes", "Size of a vector index on disk.")
TABLE_SIZE = gauge(
    "embedding_table_size_bytes", (Label("table"),), "bytes", "Size of a table on disk, without its indexes."
)
VECTORS = gauge(
    "embedding_vectors", (MODEL,), "vectors", "Vectors that are stored, as PostgreSQL's statistics count them."
)
CONNECTIONS = gauge(
    "embedding_database_connections",
    (Label("application"), CONNECTION_STATE),
    "connections",
    "Connections to the database server, by application; all but ours are `other`.",
)
MAX_CONNECTIONS = gauge(
    "embedding_database_max_connections", (), "connections", "Connections that the database server takes at most."
)
RUN_LAST_SUCCESS = gauge(
    "embedding_run_last_success_timestamp_seconds",
    (JOB, COLLECTION),
    "seconds since 1970",
    "When a run of this kind last succeeded; absent until one did.",
)
CIRCUIT_OPEN = gauge(
    "embedding_circuit_open",
    (Label("provider"), Label("reason")),
    "",
    "1 while nobody claims for this provider or source, for this reason; 0 otherwise.",
)
STORED_CHECK_BAD_ROWS = gauge(
    "embedding_stored_check_bad_rows",
    (COLLECTION, CHECK),
    "rows",
    "What the last check of the stored data found wrong: rows, or 1 where it judges a whole.",
)
BUDGET_USED = gauge(
    "embedding_budget_used_ratio",
    (COLLECTION, PERIOD),
    "ratio",
    "Part of the budget that is spent: of money or of tokens, whichever is nearer its end; absent without a budget.",
)
SCHEDULER_LAST_TICK = gauge(
    "embedding_scheduler_last_tick_timestamp_seconds",
    (),
    "seconds since 1970",
    "When a schedule or a sensor of Dagster last looked at the queue; absent until one did.",
)
DATABASE_UP = gauge(
    "embedding_exporter_database_up",
    (),
    "",
    "1 while the exporter reads the database; at 0 it exposes nothing else.",
)
QUERY_UP = gauge(
    "embedding_exporter_query_up",
    (Label("query"),),
    "",
    "0 where a query failed or ran out of time: its gauges are absent from this scrape.",
)

GAUGES = (
    QUEUE_DOCUMENTS,
    QUEUE_OLDEST_AGE,
    QUEUE_EXPIRED_LEASES,
    LIMIT_PER_MINUTE,
    LIMIT_CEILING_PER_MINUTE,
    LIMIT_USED_PER_MINUTE,
    LIMIT_USED_BY_ALL_PER_MINUTE,
    DOCUMENTS_TRACKED,
    DOCUMENTS_OVERDUE,
    SOURCE_LAST_CHANGE,
    SOURCE_LAST_POLL,
    COLLECTION_PAUSED,
    FAILED_DOCUMENTS,
    FAILED_DOCUMENT_AGE,
    CAPACITY,
    FORECAST,
    FORECAST_EXHAUSTION,
    INDEX_SIZE,
    TABLE_SIZE,
    VECTORS,
    CONNECTIONS,
    MAX_CONNECTIONS,
    RUN_LAST_SUCCESS,
    CIRCUIT_OPEN,
    STORED_CHECK_BAD_ROWS,
    BUDGET_USED,
    SCHEDULER_LAST_TICK,
    DATABASE_UP,
    QUERY_UP,
)
