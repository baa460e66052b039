"""Alerts about what is wrong with vectors and documents: broken replies, broken rows, documents given up."""

from dashboards_source.alert import Alert, Owner, Severity
from dashboards_source.alerts.queue import STALLED

BAD_REPLIES = "dimension_mismatch|non_finite|zero_vector|count_mismatch|order_mismatch"
# Checks of what other alerts tell sooner.
_TOLD_ELSEWHERE = "nothing_is_overdue|nothing_is_escalated|few_documents_fail"

BAD_VECTORS = Alert(
    "EmbeddingBadVectors",
    Severity.TICKET,
    Owner.PROVIDER,
    f'sum by (collection, error_type) (increase(embedding_errors_total{{error_type=~"{BAD_REPLIES}"}}[30m])) > 0',
    "0s",
    "The provider sends vectors that cannot be stored ({{ $labels.error_type }})",
    "A provider that works sends none: the first one is told. None of them is stored.",
    hides=("EmbeddingDocumentsEscalated",),
)
NO_GOOD_VECTORS = Alert(
    "EmbeddingBadVectors",
    Severity.PAGE,
    Owner.PROVIDER,
    f'max by (provider, reason) (embedding_circuit_open{{reason=~"{BAD_REPLIES}"}}) > 0',
    "1m",
    "{{ $labels.provider }} sends nothing but vectors that cannot be stored ({{ $labels.reason }}): nobody claims for it",
    "The circuit is open because a harmless input came back broken too. A minute is one probe that passed, or none.",
    hides=("EmbeddingDocumentsEscalated", *STALLED),
)
STORED_CHECK_FAILED = Alert(
    "EmbeddingStoredCheckFailed",
    Severity.TICKET,
    Owner.PIPELINE,
    f'max by (collection, check) (embedding_stored_check_bad_rows{{check!~"{_TOLD_ELSEWHERE}"}}) > 0',
    "0s",
    "{{ $value }} rows of {{ $labels.collection }} fail {{ $labels.check }}",
    "What is stored was checked before: one bad row means that something else wrote, or that we are wrong.",
)
DOCUMENTS_ESCALATED = Alert(
    "EmbeddingDocumentsEscalated",
    Severity.TICKET,
    Owner.SOURCE,
    'sum(embedding_failed_documents{status="escalated"}) > 0',
    "5m",
    "{{ $value }} documents were given up and wait for a person",
    "Nothing happens to an escalated document by itself: one is enough. After five minutes, so that those"
    " given up together are told once.",
)

ALERTS = (BAD_VECTORS, NO_GOOD_VECTORS, STORED_CHECK_FAILED, DOCUMENTS_ESCALATED)
