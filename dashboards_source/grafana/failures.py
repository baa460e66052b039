"""The page of failures: what errs, what waits to be tried again and how long it has, what was found in what is stored."""

from dashboards_source.grafana.panel import Color, Kind, Page, Panel, Query, Row, Step
from dashboards_source.grafana.shared_panels import CIRCUITS
from dashboards_source.grafana.words import OF, rate, red_from

_AGES = "sum by (le) (embedding_failed_document_age_seconds_bucket)"

_ERRORS = Panel(
    "Errors by type",
    "Each hour. docs/failures.md says what each type means and what follows from it.",
    (Query(f"{rate('embedding_errors_total', 'error_type')} * 3600 > 0", "{{error_type}}"),),
    "suffix: /h",
    width=12,
    stacked=True,
)
_STAGES = Panel(
    "Errors by stage",
    "Each hour.",
    (Query(f"{rate('embedding_errors_total', 'stage')} * 3600", "{{stage}}"),),
    "suffix: /h",
    width=6,
    stacked=True,
)
_SUM = Panel(
    "Errors in the time shown",
    "By type, of all stages.",
    (
        Query(
            f"sum by (error_type) (increase(embedding_errors_total{{{OF}}}[$__range])) > 0.5",
            "{{error_type}}",
            now=True,
        ),
    ),
    "short",
    kind=Kind.BARS,
    width=6,
    steps=(Step(None, Color.ORANGE),),
    decimals=0,
)
_CLAIMS = Panel(
    "Claims by how they ended",
    "Released ones were given back with nothing charged; refused ones came too late to write.",
    (Query(f"{rate('embedding_document_attempts_total', 'outcome')} * 3600", "{{outcome}}"),),
    "suffix: /h",
)
_ANSWERS = Panel(
    "Answers of the provider",
    "Requests each minute by HTTP status, or by how no answer came. A 429 costs no document an attempt.",
    (Query(f"{rate('embedding_api_requests_total', 'status', where='')} * 60 > 0", "{{status}}"),),
    "suffix: /min",
    stacked=True,
    alert="EmbeddingProviderDown",
)
_SUCCESS = Panel(
    "Changes published without a failed attempt",
    "Of the live changes of the last hour. 99.9 % of thirty days are promised.",
    (
        Query(
            f'sum by (collection) (increase(embedding_changes_total{{{OF},result="success"}}[1h]))'
            f" / (sum by (collection) (increase(embedding_changes_total{{{OF}}}[1h])) > 0)",
            "{{collection}}",
        ),
    ),
    "percentunit",
    most=1,
    alert="EmbeddingSuccessBudgetBurn",
)
_STATUS = Panel(
    "Failed documents by status",
    "Retrying: until their next retry. Queued: being tried. Escalated: waiting for a person.",
    (Query("sum by (status) (embedding_failed_documents)", "{{status}}"),),
    "short",
    stacked=True,
    alert="EmbeddingDocumentsEscalated",
)
_ATTEMPTS = Panel(
    "Failed documents by status and attempt",
    "Now. How far they are up the ladder of retries (5 min, 30 min, 2 h, 24 h); 0 is put back by a person.",
    (Query("sum by (status, attempt) (embedding_failed_documents) > 0", "{{status}}, attempt {{attempt}}", now=True),),
    "short",
    kind=Kind.BARS,
    steps=(Step(None, Color.ORANGE),),
    decimals=0,
)
_AGE_NOW = Panel(
    "Ages in the reprocessing queue, now",
    "How many failed documents have waited how long since their first failure: each bar up to its bound in seconds.",
    (Query(_AGES, "{{le}}", now=True, buckets=True),),
    "short",
    kind=Kind.BARS,
    steps=(Step(None, Color.BLUE), Step(10, Color.ORANGE)),
    decimals=0,
)
_AGE_HEAT = Panel(
    "Ages in the reprocessing queue, over time",
    "A band that climbs is a backlog that ages: retries are not run, or do not help.",
    (Query(_AGES, "{{le}}", buckets=True),),
    "s",
    kind=Kind.HEATMAP,
    alert="EmbeddingRetryBacklogOld",
)
_AGE_QUANTILES = Panel(
    "Age of failed documents",
    "Median and p95 of those that are neither published nor dismissed, by status.",
    (
        Query(
            "histogram_quantile(0.5, sum by (le, status) (embedding_failed_document_age_seconds_bucket))",
            "{{status}} p50",
        ),
        Query(
            "histogram_quantile(0.95, sum by (le, status) (embedding_failed_document_age_seconds_bucket))",
            "{{status}} p95",
        ),
    ),
    "s",
    alert="EmbeddingRetryBacklogOld",
)
_ESCALATED = Panel(
    "Escalations",
    "Documents given to a person, each day of the last week.",
    (Query(f"sum by (collection) (increase(embedding_documents_escalated_total{{{OF}}}[1d]))", "{{collection}}"),),
    "short",
    alert="EmbeddingDocumentsEscalated",
)
_STORED = Panel(
    "What is stored, checked",
    "What the last hourly check found wrong: rows, or 1 where it judges a whole. 0 is well.",
    (Query(f"max by (check) (embedding_stored_check_bad_rows{{{OF}}})", "{{check}}", now=True),),
    "short",
    kind=Kind.BARS,
    width=12,
    steps=red_from(1),
    decimals=0,
    alert="EmbeddingStoredCheckFailed",
)
_CIRCUITS = Panel(
    CIRCUITS.title,
    CIRCUITS.says,
    CIRCUITS.queries,
    CIRCUITS.unit,
    kind=CIRCUITS.kind,
    width=12,
    steps=CIRCUITS.steps,
    mappings=(("0", "closed", Color.GREEN), ("1", "open", Color.RED)),
    alert=CIRCUITS.alert,
)

PAGE = Page(
    "embedding-failures",
    "Embedding Assets: failures and reprocessing",
    "What errs, what waits to be tried again and for how long, what was found in what is stored.",
    (
        Row("Errors", (_ERRORS, _STAGES, _SUM, _CLAIMS, _ANSWERS, _SUCCESS)),
        Row("Reprocessing", (_STATUS, _ATTEMPTS, _AGE_NOW, _AGE_HEAT, _AGE_QUANTILES, _ESCALATED)),
        Row("State", (_STORED, _CIRCUITS)),
    ),
    hours=24,
)
