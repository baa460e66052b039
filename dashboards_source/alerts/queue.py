"""Alerts about the queue: it waits for the limit, grows, ages, or its workers die. Only `live` work is promised anything."""

from dashboards_source.alert import Alert, Owner, Severity

# The recorded depth of a collection's lane, all states together (rules).
DEPTH = "collection_lane:embedding_queue_documents:sum"
_LIVE = f'{DEPTH}{{lane="live"}}'
_OLDEST = 'max by (collection) (embedding_queue_oldest_age_seconds{lane="live"})'

BURNS = ("EmbeddingFreshnessBudgetBurn", "EmbeddingSuccessBudgetBurn", "EmbeddingLatencyBudgetBurn")
# What only says that nothing, or too little, is published.
LATENESS = ("EmbeddingOldestItemLate", "EmbeddingQueueGrowing", "EmbeddingFreshnessBudgetBurn")
STALLED = (*LATENESS, *BURNS[1:], "EmbeddingNoRunSucceeding", "EmbeddingRetryBacklogOld")

SILENT_BACKPRESSURE = Alert(
    "EmbeddingSilentBackpressure",
    Severity.PAGE,
    Owner.PROVIDER,
    f"""(
  {_OLDEST} > <15m>
  or (
    {_LIVE} - {_LIVE} offset 15m > 20
    and {_LIVE} - {_LIVE} offset 5m > 0
  )
)
and on () (
  sum(increase(embedding_rate_limit_throttled_seconds_total{{resource!="budget"}}[20m])) > <5m>
  or sum(increase(embedding_rate_limit_rejections_total{{resource!="budget"}}[20m])) > 60
)""",
    "5m",
    "Changes of {{ $labels.collection }} wait for the rate limit, and nothing errors",
    "Five minutes waited, or 60 reserves refused, within twenty. A queue that drains at its ceiling does that too, so live "
    "work must also be a quarter of its promise old (15 min), or 20 more than 15 minutes ago and still growing. Errors do "
    "not matter: there are none.",
    hides=(*LATENESS, "EmbeddingLatencyBudgetBurn", "EmbeddingNoRunSucceeding"),
)
QUEUE_GROWING = Alert(
    "EmbeddingQueueGrowing",
    Severity.TICKET,
    Owner.PIPELINE,
    f"""min_over_time({_LIVE}[30m]) > 20 + max_over_time({_LIVE}[30m] offset 1h)
and deriv({_LIVE}[30m]) > 0""",
    "15m",
    "The live queue of {{ $labels.collection }} has grown for over an hour and still grows",
    "The least of the last half hour is above the most of the half hour before the last hour, by more than 20 documents, and the "
    "slope is up: one large edit passes, because it drains.",
)
OLDEST_ITEM_LATE = Alert(
    "EmbeddingOldestItemLate",
    Severity.PAGE,
    Owner.PIPELINE,
    f"{_OLDEST} > <30m>",
    "2m",
    "A change of {{ $labels.collection }} waits for {{ $value | humanizeDuration }} of its hour",
    "Half of the hour that is promised: as long again is left to act.",
)
WORKERS_DYING = Alert(
    "EmbeddingWorkersDying",
    Severity.TICKET,
    Owner.PIPELINE,
    "avg_over_time((embedding_queue_expired_leases > bool 0)[30m:1m]) > 0.3",
    "5m",
    "Leases expire without a settle: workers are killed or hang",
    "Some lease was expired in 9 of 30 minutes. One killed worker shows for some two minutes, its lease and the next tick.",
)
RETRY_BACKLOG_OLD = Alert(
    "EmbeddingRetryBacklogOld",
    Severity.TICKET,
    Owner.PIPELINE,
    """sum(embedding_failed_document_age_seconds_bucket{status=~"retrying|queued",le="+Inf"})
- sum(embedding_failed_document_age_seconds_bucket{status=~"retrying|queued",le="14400.0"}) > 10""",
    "15m",
    "{{ $value }} failed documents have been retried for over four hours",
    "All rungs but the last, of 24 hours, are over after 2 h 35 min (5 min, 30 min, 2 h): whatever is older did not heal, or its "
    "retries do not run. Up to 10 are single documents' matter, and escalate by themselves.",
)

ALERTS = (SILENT_BACKPRESSURE, QUEUE_GROWING, OLDEST_ITEM_LATE, WORKERS_DYING, RETRY_BACKLOG_OLD)
