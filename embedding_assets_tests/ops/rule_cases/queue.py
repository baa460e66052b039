"""Histories of the queue: it waits for the limit, grows, ages, loses its workers."""

from embedding_assets_tests.ops.rule_cases.case import fires, silent

WAITING = 'embedding_queue_documents{collection="docs",lane="live",state="waiting"}'
OLDEST = 'embedding_queue_oldest_age_seconds{collection="docs",lane="live"}'
PROCESSED = 'embedding_documents_processed_total{collection="docs",outcome="success"}'
THROTTLED = 'embedding_rate_limit_throttled_seconds_total{limit="vertex",resource="requests"}'
REJECTED = 'embedding_rate_limit_rejections_total{limit="vertex",resource="requests"}'
_BACKFILL = 'embedding_queue_documents{collection="docs",lane="backfill",state="waiting"}'
_BACKFILL_AGE = 'embedding_queue_oldest_age_seconds{collection="docs",lane="backfill"}'
_BUDGET = 'embedding_rate_limit_rejections_total{limit="vertex",resource="budget"}'
_EXPIRED = "embedding_queue_expired_leases"
_ALL_AGES = 'embedding_failed_document_age_seconds_bucket{status="retrying",le="+Inf"}'
_TO_FOUR_HOURS = 'embedding_failed_document_age_seconds_bucket{status="retrying",le="14400.0"}'
_SOME_PROCESSED = {PROCESSED: "0+5x400"}

CASES = (
    fires(
        "EmbeddingSilentBackpressure",
        "live work is twenty-five minutes old while workers wait 45 seconds of each minute, and nothing errors",
        "25m",
        {OLDEST: "0+60x40", THROTTLED: "0+45x40", WAITING: "9x40", **_SOME_PROCESSED},
    ),
    fires(
        "EmbeddingSilentBackpressure",
        "the queue grows by three a minute while five reserves a minute are refused",
        "25m",
        {OLDEST: "120x40", REJECTED: "0+5x40", WAITING: "0+3x40", **_SOME_PROCESSED},
    ),
    silent(
        "EmbeddingSilentBackpressure",
        "two hundred edits at once drain at the limit's ceiling within ten minutes",
        "16m",
        {OLDEST: "0x4 0+60x10 0x40", THROTTLED: "0+45x60", WAITING: "0x4 200-20x10 0x40", **_SOME_PROCESSED},
    ),
    silent(
        "EmbeddingSilentBackpressure",
        "live work ages without anybody waiting for the limit",
        "25m",
        {OLDEST: "0+60x40", THROTTLED: "7x40", REJECTED: "3x40", WAITING: "9x40", **_SOME_PROCESSED},
    ),
    silent(
        "EmbeddingSilentBackpressure",
        "an initial load waits for the limit for hours beside live work that does not",
        "4h",
        {
            OLDEST: "20x400",
            THROTTLED: "0+55x400",
            REJECTED: "0+9x400",
            _BACKFILL: "100000-200x400",
            _BACKFILL_AGE: "0+60x400",
            **_SOME_PROCESSED,
        },
    ),
    silent(
        "EmbeddingSilentBackpressure",
        "a budget refuses, which the limit has no part in",
        "25m",
        {OLDEST: "0+60x40", _BUDGET: "0+9x40", WAITING: "9x40", **_SOME_PROCESSED},
    ),
    fires(
        "EmbeddingQueueGrowing",
        "two more arrive each minute than are published, for an hour and a half",
        "100m",
        {WAITING: "0+2x200", OLDEST: "600x200", **_SOME_PROCESSED},
    ),
    silent(
        "EmbeddingQueueGrowing",
        "five hundred edits at once, which drain",
        "110m",
        {WAITING: "0x40 500-3x150", OLDEST: "600x200", **_SOME_PROCESSED},
    ),
    silent(
        "EmbeddingQueueGrowing",
        "the queue goes up and down between ten and thirty",
        "110m",
        {WAITING: " ".join(["10 20 30 20"] * 50), OLDEST: "600x200", **_SOME_PROCESSED},
    ),
    fires(
        "EmbeddingOldestItemLate",
        "a change has waited for thirty-four minutes",
        "34m",
        {OLDEST: "0+60x40", WAITING: "1x40", **_SOME_PROCESSED},
    ),
    silent(
        "EmbeddingOldestItemLate",
        "changes wait for up to twenty-nine minutes",
        "50m",
        {OLDEST: "0+60x29 1740x40", WAITING: "5x60", **_SOME_PROCESSED},
    ),
    silent(
        "EmbeddingOldestItemLate",
        "the initial load is three hours old, and live work is not",
        "3h",
        {_BACKFILL_AGE: "0+60x200", OLDEST: "5x200", _BACKFILL: "9000-40x200", **_SOME_PROCESSED},
    ),
    fires(
        "EmbeddingWorkersDying",
        "of three minutes two see leases that nobody settled",
        "45m",
        {_EXPIRED: " ".join(["3 3 0"] * 20)},
    ),
    silent(
        "EmbeddingWorkersDying",
        "one killed worker leaves fifty leases for two minutes",
        "15m",
        {_EXPIRED: "0x10 50x1 0x30"},
    ),
    fires(
        "EmbeddingRetryBacklogOld",
        "twenty documents have been retried for more than four hours",
        "20m",
        {_ALL_AGES: "30x40", _TO_FOUR_HOURS: "10x40"},
    ),
    silent(
        "EmbeddingRetryBacklogOld",
        "three hundred fail together and only ten of them are old",
        "60m",
        {_ALL_AGES: "300x90", _TO_FOUR_HOURS: "290x90"},
    ),
)
