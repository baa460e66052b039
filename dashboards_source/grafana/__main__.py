"""Writes `dashboards/*.json`: `python -m dashboards_source.grafana`. A test holds each to what is committed."""

from pathlib import Path

from dashboards_source.grafana import capacity, failures, overview, pipeline
from dashboards_source.grafana.layout import as_json

ROOT = Path(__file__).parents[2]
PAGES = {
    "overview": overview.PAGE,
    "pipeline": pipeline.PAGE,
    "failures": failures.PAGE,
    "capacity": capacity.PAGE,
}


def generated() -> dict[str, str]:
    """The text of every dashboard, by its path in the repository."""
    return {f"dashboards/{name}.json": as_json(page) for name, page in PAGES.items()}


def main() -> None:
    """Write them all."""
    for path, text in generated().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
