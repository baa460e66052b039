"""The committed pages of Grafana as tests read them: panels, their queries, and what Grafana's variables stand for."""

import json
import re
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[2] / "dashboards"
PAGES = ("overview", "pipeline", "failures", "capacity")
_VALUES = {"$collection": ".*", "$__rate_interval": "5m", "$__range": "1h"}


def panels_of(page: str) -> list[dict[str, Any]]:
    """Rows and panels in their order."""
    return json.loads((_FOLDER / f"{page}.json").read_text(encoding="utf-8"))["panels"]


def panels(page: str) -> list[dict[str, Any]]:
    """Without rows."""
    return [panel for panel in panels_of(page) if panel["type"] != "row"]


def expressions(page: str) -> list[str]:
    """Every query."""
    return [target["expr"] for panel in panels(page) for target in panel["targets"]]


def filled_in(expression: str, *, interval: str = "5m", shown: str = "1h") -> str:
    """The query as Grafana would send it with every collection chosen."""
    values = {**_VALUES, "$__rate_interval": interval, "$__range": shown}
    pattern = "|".join(re.escape(name) for name in sorted(values, key=len, reverse=True))
    return re.sub(pattern, lambda found: values[found[0]], expression)
