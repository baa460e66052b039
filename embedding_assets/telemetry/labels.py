"""The labels, and for closed ones every value. Never a document or a run: a label's values stay few.

A value that is not in its set would be born at some number above 0, and `increase()` would not see it.
"""

from embedding_assets.domain.failures import ErrorType
from embedding_assets.domain.work import Lane, Stage
from embedding_assets.telemetry.metric import Label

COLLECTION = Label("collection")
MODEL = Label("model")
LIMIT = Label("limit")
# Where a collection has no shared limit, but a budget, or a provider that refuses.
NO_LIMIT = "none"

OUTCOME = Label("outcome", ("success", "failure", "deleted", "unchanged"))
# `released`: given back with nothing charged; `refused`: a late twin that wrote nothing.
CLAIM_OUTCOME = Label("outcome", ("success", "failure", "deleted", "unchanged", "released", "refused"))
RESULT = Label("result", ("success", "failure"))
PROMISE = Label("result", ("met", "missed"))
STAGE = Label("stage", tuple(stage.value for stage in Stage))
ERROR_TYPE = Label("error_type", tuple(error_type.value for error_type in ErrorType))
LANE = Label("lane", tuple(lane.value for lane in Lane))
WAITING = Label("waiting", ("included", "excluded"))

# What an answer of the provider is counted as: its HTTP status, or how none came.
KNOWN_STATUSES = ("200", "400", "401", "403", "404", "408", "413", "422", "429", "500", "502", "503", "504")
STATUS = Label("status", (*KNOWN_STATUSES, "4xx", "5xx", "timeout", "unreachable"))

# What these are about is in the body of an answer that came with success.
_IN_THE_BODY = frozenset(
    {
        ErrorType.MALFORMED_REPLY,
        ErrorType.COUNT_MISMATCH,
        ErrorType.ORDER_MISMATCH,
        ErrorType.DIMENSION_MISMATCH,
        ErrorType.NON_FINITE,
        ErrorType.ZERO_VECTOR,
    }
)


def status_label(error_type: ErrorType, status: int | None) -> str:
    """What a request that failed is counted under."""
    if status is None:
        if error_type in _IN_THE_BODY:
            return "200"
        return "timeout" if error_type is ErrorType.PROVIDER_TIMEOUT else "unreachable"
    if str(status) in KNOWN_STATUSES:
        return str(status)
    return "5xx" if status >= 500 else "4xx"


RESOURCE = Label("resource", ("requests", "inputs", "tokens"))
# What kept a request back: a resource of the limit, the provider's own word (429), a budget, or a database that restarted.
KEPT_BACK_BY = Label("resource", ("requests", "inputs", "tokens", "provider", "budget", "restart"))

# Kinds of jobs, without the collection that Dagster's names begin with.
JOB = Label(
    "job",
    (
        "embed_documents",
        "sync_sources",
        "reprocess_failed_documents",
        "reembed_stale_documents",
        "maintain_index",
        "check_stored_data",
        "slo_report",
        "capacity_forecast",
        "index_health",
    ),
)

# `arrived`: told by a producer, not yet in the queue; `waiting`: in it and nobody's; `leased`: claimed, its lease not over.
QUEUE_STATE = Label("state", ("arrived", "waiting", "leased"))
OPEN_STATUS = Label("status", ("retrying", "queued", "escalated"))
ATTEMPT = Label("attempt", ("0", "1", "2", "3", "4", "5+"))
PERIOD = Label("period", ("day", "month"))
CHECK = Label(
    "check",
    (
        "vectors_are_finite_and_not_zero",
        "vectors_have_the_models_dimension",
        "every_input_has_its_vector",
        "no_orphaned_chunks",
        "nothing_is_overdue",
        "nothing_is_escalated",
        "few_documents_fail",
        "index_is_valid",
        "index_finds_what_exact_search_finds",
    ),
)
CONSTRAINT = Label("constraint", ("rate_limit", "workers", "storage"))
CONNECTION_STATE = Label("state", ("active", "idle", "idle_in_transaction", "other"))
