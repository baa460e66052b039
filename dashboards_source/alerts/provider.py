"""Alerts about those we call: a model's provider that is away, refuses us or is slow; a source that cannot be read or is silent."""

from dashboards_source.alert import Alert, Owner, Severity
from dashboards_source.alerts.quality import BAD_REPLIES
from dashboards_source.alerts.queue import LATENESS, STALLED

_OUR_STANDING = "credentials_rejected|budget_reached|unknown_model"
_SOURCE = "root_unavailable"

PROVIDER_DOWN = Alert(
    "EmbeddingProviderDown",
    Severity.PAGE,
    Owner.PROVIDER,
    f'max by (provider, reason) (embedding_circuit_open{{reason!~"{_OUR_STANDING}|{_SOURCE}|{BAD_REPLIES}"}}) > 0',
    "5m",
    "{{ $labels.provider }} is down ({{ $labels.reason }}): nobody claims for it",
    "A circuit is probed 30 s after it opened, then after 1, 2 and 4 minutes: within five, three probes have failed.",
    hides=(*STALLED, "EmbeddingProviderSlow"),
)
CREDENTIALS_REJECTED = Alert(
    "EmbeddingCredentialsRejected",
    Severity.PAGE,
    Owner.PROVIDER,
    f'max by (provider, reason) (embedding_circuit_open{{reason=~"{_OUR_STANDING}"}}) > 0',
    "1m",
    "{{ $labels.provider }} refuses us ({{ $labels.reason }}): nobody claims for it",
    "Waiting mends no key, no unpaid account and no wrong model name; one minute lets a key be exchanged.",
    hides=STALLED,
)
PROVIDER_SLOW = Alert(
    "EmbeddingProviderSlow",
    Severity.TICKET,
    Owner.PROVIDER,
    """histogram_quantile(0.95, sum by (le, model) (rate(embedding_api_request_duration_seconds_bucket[10m]))) > 10
and on (model) sum by (model) (increase(embedding_api_request_duration_seconds_count[10m])) > 20""",
    "10m",
    "One request of twenty to {{ $labels.model }} takes {{ $value | humanizeDuration }} or more",
    "A third of the 30 s within which 95 % of documents are promised; of more than 20 requests, so that one slow one is none.",
)
SOURCE_UNREADABLE = Alert(
    "EmbeddingSourceUnreadable",
    Severity.PAGE,
    Owner.SOURCE,
    f'max by (provider) (embedding_circuit_open{{reason="{_SOURCE}"}}) > 0',
    "10m",
    "The root of {{ $labels.provider }} cannot be read",
    "A restarting file server or a renewed mount is back within ten minutes, and five sixths of the hour are left.",
    hides=("EmbeddingSourceNotPolled", "EmbeddingSourceSilent", "EmbeddingNoRunSucceeding", *LATENESS),
)
SOURCE_NOT_POLLED = Alert(
    "EmbeddingSourceNotPolled",
    Severity.TICKET,
    Owner.PIPELINE,
    """time() - embedding_source_last_poll_timestamp_seconds > <30m>
and time() - embedding_source_last_poll_timestamp_seconds
  > 4 * <1d> / clamp_min(changes(embedding_source_last_poll_timestamp_seconds[1d]), 1)
and embedding_source_last_poll_timestamp_seconds > 0
unless on (collection) embedding_collection_paused == 1""",
    "5m",
    "The source of {{ $labels.collection }} was last polled {{ $value | humanizeDuration }} ago",
    "Half of the promised hour, and four times the mean distance of its polls of the last day, so that a source polled once a day "
    "is left alone.",
)
SOURCE_SILENT = Alert(
    "EmbeddingSourceSilent",
    Severity.TICKET,
    Owner.SOURCE,
    """time() - embedding_source_last_change_timestamp_seconds
  > 6 * <7d> / changes(embedding_source_last_change_timestamp_seconds[7d])
and time() - embedding_source_last_change_timestamp_seconds > <1d>
and changes(embedding_source_last_change_timestamp_seconds[7d]) >= 7
unless on (collection) embedding_collection_paused == 1""",
    "1h",
    "Nothing has changed in {{ $labels.collection }} for {{ $value | humanizeDuration }}, which is unlike it",
    "Six times the mean distance of its changes of the last week, and more than a day, of a source that changes daily: a copy that "
    "is no longer refreshed, or a producer that has stopped, looks healthy otherwise.",
)

ALERTS = (PROVIDER_DOWN, CREDENTIALS_REJECTED, PROVIDER_SLOW, SOURCE_UNREADABLE, SOURCE_NOT_POLLED, SOURCE_SILENT)
