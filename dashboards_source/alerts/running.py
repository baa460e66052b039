"""Alerts about runs and money: nothing runs, nothing succeeds, the budget or the capacity comes to its end."""

from dashboards_source.alert import Alert, Owner, Severity
from dashboards_source.alerts.queue import LATENESS

# The recorded number of references that a run could take (rules).
READY = "collection:embedding_queue_documents:ready"

SCHEDULER_STOPPED = Alert(
    "EmbeddingSchedulerStopped",
    Severity.PAGE,
    Owner.PIPELINE,
    """time() - max(embedding_scheduler_last_tick_timestamp_seconds) > <5m>
and max(embedding_scheduler_last_tick_timestamp_seconds) > 0""",
    "5m",
    "Dagster's scheduler last ticked {{ $value | humanizeDuration }} ago: no run is started",
    "It ticks every minute; a restarted daemon is back within two.",
    hides=("EmbeddingNoRunSucceeding", "EmbeddingSourceNotPolled", *LATENESS),
)
NO_RUN_SUCCEEDING = Alert(
    "EmbeddingNoRunSucceeding",
    Severity.PAGE,
    Owner.PIPELINE,
    f"""min_over_time({READY}[15m]) > 0
and {READY} offset 15m > 0
unless on (collection) sum by (collection) (
  increase(embedding_documents_processed_total{{outcome!="failure"}}[15m])) > 0
unless on (collection) max by (collection) (embedding_budget_used_ratio) >= 1
unless on (collection) embedding_collection_paused == 1
unless on (collection) (
  time() - max by (collection) (embedding_run_last_success_timestamp_seconds{{job="embed_documents"}}) < <15m>
  and on () sum(increase(embedding_rate_limit_rejections_total[15m])) > 0)""",
    "1m",
    "{{ $value }} documents of {{ $labels.collection }} have been ready for 15 minutes and no run succeeds",
    "A run starts every minute: fifteen have done nothing. A long run that publishes meanwhile is no failure, nor one that "
    "succeeded and was kept back by the limit; a budget that is used up has an alert of its own, and a pause is meant.",
    hides=LATENESS,
)
BUDGET_REACHED = Alert(
    "EmbeddingBudgetReached",
    Severity.TICKET,
    Owner.PIPELINE,
    "max by (collection, period) (embedding_budget_used_ratio) >= 1",
    "0s",
    "The budget of {{ $labels.collection }} for this {{ $labels.period }} is used up: it waits for the next",
    "A budget stops exactly where it was set.",
    hides=("EmbeddingBudgetNearlyReached",),
)
BUDGET_NEARLY_REACHED = Alert(
    "EmbeddingBudgetNearlyReached",
    Severity.TICKET,
    Owner.PIPELINE,
    "max by (collection, period) (embedding_budget_used_ratio) >= 0.8",
    "5m",
    "{{ $value | humanizePercentage }} of the budget of {{ $labels.collection }} for this {{ $labels.period }} are used",
    "A fifth is left: time to raise it before anything waits.",
)
CAPACITY_EXHAUSTED_SOON = Alert(
    "EmbeddingCapacityExhaustedSoon",
    Severity.TICKET,
    Owner.PIPELINE,
    """(min by (resource) (embedding_forecast_exhaustion_timestamp_seconds > 0) - time()) < <14d>""",
    "1h",
    "By its forecast {{ $labels.resource }} is exhausted in {{ $value | humanizeDuration }}",
    "A larger disk, a higher limit or another model takes a fortnight to get.",
)

ALERTS = (
    SCHEDULER_STOPPED,
    NO_RUN_SUCCEEDING,
    BUDGET_REACHED,
    BUDGET_NEARLY_REACHED,
    CAPACITY_EXHAUSTED_SOON,
)
