"""The rule files of Prometheus, as data: recording rules, burn alerts and the alerts of every failure, from their descriptions.

Not here: how they are written to files (__main__), what is promised (domain/slo).
"""

from collections.abc import Sequence
from typing import TypeAlias

from dashboards_source.alert import Alert
from dashboards_source.alerts import burns, database, provider, quality, queue, running
from dashboards_source.durations import rendered, shorter
from embedding_assets.domain.slo import OBJECTIVES, WINDOWS, Objective, bad_rule, ratio_rule

Rule: TypeAlias = "dict[str, object]"
Group: TypeAlias = "dict[str, object]"

FAILURES: Sequence[tuple[str, Sequence[Alert]]] = (
    ("queue", queue.ALERTS),
    ("provider", provider.ALERTS),
    ("quality", quality.ALERTS),
    ("database", database.ALERTS),
    ("running", running.ALERTS),
)
ALERTS: Sequence[Alert] = (*(alert for _, alerts in FAILURES for alert in alerts), *burns.ALERTS)

# Windows of a day and more are asked every five minutes: they read much and move little.
_LONG = ("1d", "3d", "30d")
_ORDINARY, _SELDOM = "30s", "5m"
_DEPTHS = (
    (queue.DEPTH, "sum by (collection, lane) (embedding_queue_documents)"),
    (running.READY, 'sum by (collection) (embedding_queue_documents{state=~"arrived|waiting"})'),
)


def rule_files(*, faster: float = 1) -> dict[str, list[Group]]:
    """Groups of rules by the name of their file; `faster` plays them so many times faster, for a demonstration."""
    return {
        "objectives": [*_objective_groups(faster), _group("embedding-burns", burns.ALERTS, faster)],
        "failures": [
            _recorded("embedding-queue-depth", [_record(name, text, faster) for name, text in _DEPTHS], faster),
            *(_group(f"embedding-{place}", alerts, faster) for place, alerts in FAILURES),
        ],
    }


def _objective_groups(faster: float) -> list[Group]:
    short = [window for window in WINDOWS if window not in _LONG]
    return [
        _recorded("embedding-objectives", _windows(short, faster), faster),
        _recorded("embedding-objectives-of-days", _windows(_LONG, faster), faster, every=_SELDOM),
    ]


def _windows(windows: Sequence[str], faster: float) -> list[Rule]:
    return [rule for objective in OBJECTIVES for window in windows for rule in _of_window(objective, window, faster)]


def _of_window(objective: Objective, window: str, faster: float) -> list[Rule]:
    labels = {"objective": objective.name}
    return [
        {**_record(ratio_rule(window), objective.error_ratio(window), faster), "labels": labels},
        {**_record(bad_rule(window), objective.bad_increase(window), faster), "labels": labels},
    ]


def _record(name: str, expression: str, faster: float) -> Rule:
    return {"record": name, "expr": rendered(expression, faster)}


def _recorded(name: str, rules: list[Rule], faster: float, *, every: str = _ORDINARY) -> Group:
    return {"name": name, "interval": shorter(every, faster), "rules": rules}


def _group(name: str, alerts: Sequence[Alert], faster: float) -> Group:
    return _recorded(name, [_alert_rule(alert, faster) for alert in alerts], faster)


def _alert_rule(alert: Alert, faster: float) -> Rule:
    return {
        "alert": alert.name,
        "expr": rendered(alert.expression, faster),
        **({"for": shorter(alert.lasting, faster)} if alert.lasting != "0s" else {}),
        "labels": {"severity": alert.severity.value, "owner": alert.owner.value, **dict(alert.labels)},
        "annotations": {"summary": alert.summary, "threshold": alert.threshold, "runbook_url": alert.runbook_url},
    }
