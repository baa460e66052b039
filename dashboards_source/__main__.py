"""Writes `dashboards/`: `python -m dashboards_source`. Each file's text is held to what is committed by a test."""

from pathlib import Path

from dashboards_source import rules, servers
from dashboards_source.objectives_page import objectives_page
from dashboards_source.writing import as_yaml

ROOT = Path(__file__).parents[1]


def generated() -> dict[str, str]:
    """The text of every generated file, by its path in the repository."""
    names = list(rules.rule_files())
    return {
        **{f"dashboards/rules/{name}.yaml": as_yaml({"groups": groups}) for name, groups in rules.rule_files().items()},
        "dashboards/prometheus.example.yml": as_yaml(servers.prometheus([f"rules/{name}.yaml" for name in names])),
        "dashboards/alertmanager.example.yml": as_yaml(servers.alertmanager()),
        "docs/objectives.md": objectives_page(),
    }


def main() -> None:
    """Write them all."""
    for path, text in generated().items():
        file = ROOT / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
