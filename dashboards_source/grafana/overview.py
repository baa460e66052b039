"""The first page: whether promises are kept, what waits for a person, and how work flows."""

from dashboards_source.grafana.panel import Color, Kind, Page, Panel, Query, Row, Step
from dashboards_source.grafana.shared_panels import BURN, CIRCUITS, DOCUMENT_P95, LAG, QUEUE, THROUGHPUT
from dashboards_source.grafana.words import LATE, OF, green_from, red_from, total, warn_then_red
from embedding_assets.domain.slo import OBJECTIVES, Objective, budget_left_query, compliance_query


def _kept(objective: Objective) -> Panel:
    return Panel(
        f"{objective.title}: {objective.target:.1%} promised",
        f"The share of thirty days in which {objective.good_event}.",
        (Query(compliance_query(objective), "kept", now=True),),
        "percentunit",
        kind=Kind.NUMBER,
        width=4,
        height=6,
        steps=green_from(objective.target),
        least=None,
        decimals=2,
        alert=f"Embedding{objective.title}BudgetBurn",
    )


_BUDGET = Panel(
    "Error budget left of thirty days",
    "At 0 the objective is missed. Below a quarter, put risky changes off.",
    tuple(Query(budget_left_query(objective), objective.name, now=True) for objective in OBJECTIVES),
    "percentunit",
    kind=Kind.BARS,
    width=6,
    height=6,
    steps=(Step(None, Color.RED), Step(0.0001, Color.ORANGE), Step(0.25, Color.GREEN)),
    most=1,
)
_BURN = Panel(BURN.title, BURN.says, BURN.queries, BURN.unit, width=6, height=6, steps=BURN.steps, alert=BURN.alert)


def _number(title: str, says: str, expression: str, unit: str, steps: tuple[Step, ...], alert: str = "") -> Panel:
    return Panel(title, says, (Query(expression),), unit, kind=Kind.NUMBER, width=3, height=4, steps=steps, alert=alert)


_FIRING = 'count(ALERTS{alertname=~"Embedding.*",alertstate="firing"}) or vector(0)'
_NOW = (
    _number("Overdue", "Live changes past their hour and not published.", total("embedding_documents_overdue"), "short",
            red_from(1), "EmbeddingFreshnessBudgetBurn"),
    _number("Oldest live change", "How long the oldest live change has waited.",
            f'max(embedding_queue_oldest_age_seconds{{lane="live",{OF}}})', "s", warn_then_red(LATE / 2, LATE),
            "EmbeddingOldestItemLate"),
    _number("In the queue", "References to be processed, live and backfill.", total("embedding_queue_documents"), "short",
            (Step(None, Color.BLUE),), "EmbeddingQueueGrowing"),
    _number("Waiting for a person", "Escalated documents: `embedding-assets failures list`.",
            'sum(embedding_failed_documents{status="escalated"})', "short", red_from(1), "EmbeddingDocumentsEscalated"),
    _number("Circuits open", "Providers and sources that nobody claims for.", "sum(embedding_circuit_open)", "short",
            red_from(1), "EmbeddingProviderDown"),
    _number("Alerts firing", "Of ours.", _FIRING, "short", red_from(1)),
    _number("Last embedding run", "Since a run over the queue last succeeded, the oldest of the collections.",
            f'time() - min(embedding_run_last_success_timestamp_seconds{{job="embed_documents",{OF}}})', "s",
            (Step(None, Color.GREEN),), "EmbeddingNoRunSucceeding"),
    _number("Documents", "Stored and not deleted.", total("embedding_documents_tracked"), "short", (Step(None, Color.BLUE),)),
)  # fmt: skip

PAGE = Page(
    "embedding-overview",
    "Embedding Assets: overview",
    "Whether promises are kept, what waits for a person, how work flows.",
    (
        Row("Promises, thirty days", (*map(_kept, OBJECTIVES), _BUDGET, _BURN)),
        Row("Now", _NOW),
        Row("Flow", (THROUGHPUT, QUEUE, LAG, DOCUMENT_P95, CIRCUITS)),
    ),
)
