"""Configurations of Prometheus and Alertmanager, as data: what to scrape, where alerts go, which alerts hide which.

`dashboards/` has them as examples; `make ops` starts servers with the same. Not here: the rules (rules).
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from dashboards_source.alert import Alert
from dashboards_source.durations import shorter
from dashboards_source.rules import ALERTS

Configuration: TypeAlias = "dict[str, object]"

EXPORTER = "127.0.0.1:9808"
WEBHOOK = "http://127.0.0.1:9810/"


def prometheus(
    rule_files: Sequence[str], *, exporter: str = EXPORTER, alertmanager: str = "127.0.0.1:9093", faster: float = 1
) -> Configuration:
    """Scrapes one exporter and tells one Alertmanager."""
    # Not faster than every other second: a scrape reads the database.
    every = shorter("15s", min(faster, 7.5))
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": list(rule_files),
        "scrape_configs": [
            {
                "job_name": "embedding-assets",
                # Our label `job` is the kind of a Dagster job; without this it arrives as `exported_job`.
                "honor_labels": True,
                # Who restarts the exporter elsewhere starts no new series: counters are the database's.
                "static_configs": [{"targets": [exporter], "labels": {"instance": "embedding-assets"}}],
            }
        ],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
    }


def alertmanager(*, webhook: str = WEBHOOK, faster: float = 1) -> Configuration:
    """Pages at once and again every hour, tickets once a day; what only follows from another alert is not sent."""
    pages: Configuration = {
        "receiver": "page",
        "matchers": ['severity="page"'],
        "group_wait": shorter("30s", faster),
        "group_interval": shorter("5m", faster),
        "repeat_interval": "1h",
    }
    return {
        "route": {
            "receiver": "ticket",
            "group_by": ["alertname", "collection"],
            "group_wait": shorter("1m", faster),
            "group_interval": shorter("10m", faster),
            "repeat_interval": "24h",
            "routes": [pages],
        },
        "receivers": [_receiver("page", webhook), _receiver("ticket", webhook)],
        "inhibit_rules": list(inhibitions()),
    }


def _receiver(name: str, webhook: str) -> Configuration:
    return {"name": name, "webhook_configs": [{"url": webhook, "send_resolved": True}]}


def inhibitions() -> Iterator[Configuration]:
    """What is hidden by what: within one collection where both alerts are about one."""
    collections = {alert.name for alert in ALERTS if alert.by_collection}
    for alert in ALERTS:
        same = [name for name in alert.hides if alert.by_collection and name in collections]
        rest = [name for name in alert.hides if name not in same]
        if same:
            yield {**_inhibition(alert, same), "equal": ["collection"]}
        if rest:
            yield _inhibition(alert, rest)


def _inhibition(alert: Alert, hidden: Sequence[str]) -> Configuration:
    targets = "|".join(sorted(hidden))
    source = [f'alertname="{alert.name}"', f'severity="{alert.severity.value}"']
    return {"source_matchers": source, "target_matchers": [f'alertname=~"{targets}"']}
