"""Every panel of every page has data in a run that has everything; and promtool takes every query."""

import json
import math
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml

from embedding_assets_tests.ops.panels_scene import panels_on_stage
from embedding_assets_tests.ops.servers import Prometheus
from embedding_assets_tests.support.panels import PAGES, expressions, filled_in, panels

pytestmark = [
    pytest.mark.ops,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="Debian's prometheus is not installed: make ops-setup"
    ),
]
# What Grafana would make of a scrape every second, a little longer.
_SHOWN = "30s"


def test_prometheus_takes_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:query:{number}", "expr": filled_in(text)}
        for number, text in enumerate(text for page in PAGES for text in expressions(page))
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


@pytest.mark.slow
def test_every_panel_shows_something_of_a_run_that_has_everything(database_url: str, tmp_path: Path) -> None:
    with panels_on_stage(database_url, tmp_path / "stage") as asked:
        empty = [
            f"{page}: {panel['title']}: {target['expr']}"
            for page in PAGES
            for panel in panels(page)
            for target in panel["targets"]
            if not points(asked, filled_in(target["expr"], interval=_SHOWN))
        ]
    assert empty == []


def points(asked: Prometheus, expression: str, *, seconds: int = 180) -> int:
    """How many numbers the query answers over the last minutes; what is no number does not count."""
    now = time.time()
    values = urllib.parse.urlencode({"query": expression, "start": now - seconds, "end": now, "step": 2})
    with urllib.request.urlopen(f"{asked.url}/api/v1/query_range?{values}", timeout=30) as response:
        series = json.loads(response.read())["data"]["result"]
    return sum(not math.isnan(float(value)) for one in series for _, value in one["values"])
