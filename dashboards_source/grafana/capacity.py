"""The page of capacity and cost: the limit, what is forecast, what it costs, what fills up."""

from dashboards_source.grafana.panel import Color, Kind, Page, Panel, Query, Row, Step
from dashboards_source.grafana.shared_panels import CAPACITY, THROUGHPUT
from dashboards_source.grafana.words import OF, rate, warn_then_red

_BY_RESOURCE = "max by (limit, resource)"
_DAYS_LEFT = "(min by (resource) (embedding_forecast_exhaustion_timestamp_seconds) - time()) / 86400"


def _of_limit(gauge: str) -> str:
    return f"{_BY_RESOURCE} (embedding_rate_limit_{gauge}per_minute)"


_USED = Panel(
    "Rate limit: our use against our ceiling",
    "Of the trailing minute. At the ceiling work waits: that is what it is for, and fine while the queue comes back down.",
    (
        Query(_of_limit("used_"), "{{limit}} {{resource}}: ours"),
        Query(_of_limit("ceiling_"), "ceiling: {{limit}} {{resource}}"),
    ),
    "suffix: /min",
    dashed="/^ceiling/",
    alert="EmbeddingSilentBackpressure",
    width=6,
)
_USED_BY_ALL = Panel(
    "Rate limit: everybody's use against its size",
    "All programs that draw on the key together.",
    (
        Query(_of_limit("used_by_all_"), "{{limit}} {{resource}}: everybody"),
        Query(_of_limit(""), "size: {{limit}} {{resource}}"),
    ),
    "suffix: /min",
    dashed="/^size/",
    alert="EmbeddingSilentBackpressure",
    width=6,
)
_THROTTLED = Panel(
    "Waiting for the limit",
    "Requests that wait at any moment, by what keeps them back: 1 is one request waiting all the time.",
    (
        Query(
            rate("embedding_rate_limit_throttled_seconds_total", "limit, resource", where="") + " > 0",
            "{{limit}}: {{resource}}",
        ),
    ),
    "short",
    stacked=True,
    alert="EmbeddingSilentBackpressure",
    width=6,
)
_REFUSED = Panel(
    "Refused reserves",
    "Each minute, by what kept them back: a resource of the limit, the provider's 429, a budget.",
    (Query(rate("embedding_rate_limit_rejections_total", "resource", where="") + " * 60 > 0", "{{resource}}"),),
    "suffix: /min",
    alert="EmbeddingSilentBackpressure",
    width=6,
)
_FORECAST = Panel(
    "Forecast of arrivals against capacity",
    "Documents an hour, means of the week that ends so far ahead; 8 of 10 days lie between low and high. Absent with less than two "
    "weeks of history.",
    (
        Query(
            'max by (horizon, estimate) (embedding_forecast_documents_per_hour{estimate="estimate"})', "in {{horizon}}"
        ),
        Query('max by (horizon) (embedding_forecast_documents_per_hour{estimate="high"})', "in {{horizon}}, high"),
        Query(CAPACITY, "capacity: {{constraint}}"),
    ),
    "suffix: /h",
    width=12,
    dashed="/^capacity/",
    alert="EmbeddingCapacityExhaustedSoon",
)
_BAND = Panel(
    "Forecast, low to high",
    "As it was last made.",
    (
        Query(
            "max by (horizon, estimate) (embedding_forecast_documents_per_hour)",
            "in {{horizon}}: {{estimate}}",
            now=True,
        ),
    ),
    "suffix: /h",
    kind=Kind.BARS,
    steps=(Step(None, Color.BLUE),),
    decimals=0,
    width=12,
)
_RUNS_OUT = Panel(
    "Days until it runs out",
    "Only what is expected to run out within ninety days. Within fourteen, a ticket is opened.",
    (Query(_DAYS_LEFT, "{{resource}}", now=True),),
    "suffix: d",
    kind=Kind.BARS,
    steps=(Step(None, Color.RED), Step(14, Color.ORANGE), Step(30, Color.GREEN)),
    most=90,
    decimals=0,
    alert="EmbeddingCapacityExhaustedSoon",
    width=12,
)
_COST = Panel(
    "Cost",
    "US dollars a day at the rate of the moment, by model.",
    (Query(rate("embedding_cost_usd_total", "model", where="") + " * 86400", "{{model}}"),),
    "currencyUSD",
    stacked=True,
)
_TOKENS = Panel(
    "Tokens",
    "Each minute, by model.",
    (Query(rate("embedding_tokens_total", "model", where="") + " * 60", "{{model}}"),),
    "suffix: /min",
    stacked=True,
)
_EACH = Panel(
    "Cost of a thousand documents",
    "Of the last hour. It falls when more is reused, and rises with long documents.",
    (
        Query(
            "1000 * sum(increase(embedding_cost_usd_total[1h]))"
            ' / (sum(increase(embedding_documents_processed_total{outcome="success"}[1h])) > 0)',
            "1,000 documents",
        ),
    ),
    "currencyUSD",
    decimals=4,
)
_BUDGET = Panel(
    "Budget used",
    "Of money or tokens, whichever is nearer its end, by collection and period. At 100 % its work waits.",
    (Query(f"max by (collection, period) (embedding_budget_used_ratio{{{OF}}})", "{{collection}}: {{period}}"),),
    "percentunit",
    steps=warn_then_red(0.8, 1),
    alert="EmbeddingBudgetNearlyReached",
    width=12,
)
_REUSE = Panel(
    "Reused chunks",
    "The part of published chunks whose vector was there already, last hour.",
    (
        Query(
            f"sum by (collection) (increase(embedding_chunks_reused_total{{{OF}}}[1h]))"
            f" / (sum by (collection) (increase(embedding_chunks_processed_total{{{OF}}}[1h])) > 0)",
            "{{collection}}",
        ),
    ),
    "percentunit",
    most=1,
    width=12,
)
_INDEX = Panel(
    "Vector indexes",
    "Size on disk. Search is quick while it fits in memory.",
    (Query("max by (index) (embedding_index_size_bytes)", "{{index}}"),),
    "bytes",
    width=6,
)
_TABLES = Panel(
    "Tables",
    "Size on disk, without indexes: the largest eight.",
    (Query("topk(8, max by (table) (embedding_table_size_bytes))", "{{table}}"),),
    "bytes",
    stacked=True,
    width=6,
)
_VECTORS = Panel(
    "Vectors",
    "Stored, by model.",
    (Query("max by (model) (embedding_vectors)", "{{model}}"),),
    "short",
    width=6,
)
_CONNECTIONS = Panel(
    "Database connections",
    "By application, below what the server takes.",
    (
        Query("sum by (application) (embedding_database_connections)", "{{application}}"),
        Query("max(embedding_database_max_connections)", "most"),
    ),
    "short",
    stacked=True,
    dashed="/^most$/",
    alert="EmbeddingDatabaseConnectionsExhausted",
    width=6,
)

PAGE = Page(
    "embedding-capacity",
    "Embedding Assets: capacity and cost",
    "The limit, what is forecast, what it costs, what fills up.",
    (
        Row("The limit", (_USED, _USED_BY_ALL, _THROTTLED, _REFUSED)),
        Row("Forecast", (THROUGHPUT, _FORECAST, _BAND, _RUNS_OUT)),
        Row("Cost", (_COST, _TOKENS, _EACH, _BUDGET, _REUSE)),
        Row("What fills up", (_INDEX, _TABLES, _VECTORS, _CONNECTIONS)),
    ),
    hours=24,
)
