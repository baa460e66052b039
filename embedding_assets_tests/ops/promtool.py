"""Plays a case's history to the committed rules with promtool, as if time passed.

Not here: real servers (servers).
"""

import subprocess
from pathlib import Path

import yaml

from embedding_assets_tests.ops.rule_cases.case import Case

RULES = Path(__file__).parents[2] / "dashboards" / "rules"
# What fires, by name; a burn by its severity and window too.
_PLAIN = 'label_join(count by (alertname) (ALERTS{alertstate="firing",window=""}), "alert", "", "alertname")'
_BURNS = (
    'label_join(count by (alertname, severity, window) (ALERTS{alertstate="firing",window!=""}), '
    '"alert", " ", "alertname", "severity", "window")'
)
_FIRING = f"count by (alert) ({_PLAIN} or {_BURNS})"


def play(case: Case, folder: Path) -> str:
    """What promtool has to say against it; empty when exactly the expected alerts fire."""
    test = {
        "interval": case.every,
        "input_series": [{"series": name, "values": values} for name, values in case.all_series.items()],
        "promql_expr_test": [{"expr": _FIRING, "eval_time": case.at, "exp_samples": _samples(case)}],
    }
    # As the groups are: every minute does for a history whose values come once a minute.
    file = folder / "case.yaml"
    rules = [str(path) for path in sorted(RULES.glob("*.yaml"))]
    file.write_text(yaml.safe_dump({"rule_files": rules, "evaluation_interval": case.every, "tests": [test]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _samples(case: Case) -> list[dict[str, object]]:
    return [{"labels": f'{{alert="{name}"}}', "value": 1} for name in case.fires]
