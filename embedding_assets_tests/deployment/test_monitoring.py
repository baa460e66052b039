"""What the chart gives to Prometheus and Grafana is what dashboards/ holds, and the exporter is scraped as the rules expect."""

import json
import re

import yaml

from embedding_assets_tests.support.helm import RELEASE, REQUIRED, TOP, Object, named, of_kind, rendered

DASHBOARDS = TOP / "dashboards"


def example() -> Object:
    (scrape,) = yaml.safe_load((DASHBOARDS / "prometheus.example.yml").read_text(encoding="utf-8"))["scrape_configs"]
    return scrape


def endpoint() -> Object:
    (only,) = named(rendered(*REQUIRED), "PodMonitor", f"{RELEASE}-exporter")["spec"]["podMetricsEndpoints"]
    return only


def test_the_rules_are_those_of_the_dashboards_folder() -> None:
    groups = [
        group
        for file in sorted((DASHBOARDS / "rules").glob("*.yaml"))
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    ]
    assert groups
    assert named(rendered(*REQUIRED), "PrometheusRule", RELEASE)["spec"]["groups"] == groups


def test_each_dashboard_is_a_configmap_that_grafanas_sidecar_finds() -> None:
    files = {file.name: json.loads(file.read_text(encoding="utf-8")) for file in DASHBOARDS.glob("*.json")}
    maps = [one for one in of_kind(rendered(*REQUIRED), "ConfigMap") if "-dashboard-" in one["metadata"]["name"]]
    assert {name: json.loads(text) for one in maps for name, text in one["data"].items()} == files
    for one in maps:
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert re.fullmatch(r"[a-z0-9-]{1,63}", one["metadata"]["name"])
        # An object of Kubernetes may hold a MiB.
        assert len(json.dumps(one)) < 1_000_000


def test_the_podmonitor_finds_the_exporter_by_label_and_port() -> None:
    monitor = named(rendered(*REQUIRED), "PodMonitor", f"{RELEASE}-exporter")["spec"]
    template = named(rendered(*REQUIRED), "Deployment", f"{RELEASE}-exporter")["spec"]["template"]
    assert monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (container,) = template["spec"]["containers"]
    assert endpoint()["port"] in {port["name"] for port in container["ports"]}


def test_it_is_scraped_as_the_rules_were_tried() -> None:
    """Our own label `job` is kept, and a pod that takes another's place goes on with the same series."""
    assert endpoint()["honorLabels"] is example()["honor_labels"] is True
    replaced = {
        one["targetLabel"]: one["replacement"] for one in endpoint()["relabelings"] if one["action"] == "replace"
    }
    (static,) = example()["static_configs"]
    assert replaced == {"instance": static["labels"]["instance"], "job": example()["job_name"]}
    (dropped,) = [one["regex"] for one in endpoint()["relabelings"] if one["action"] == "labeldrop"]
    assert all(re.fullmatch(dropped, label) for label in ("pod", "container", "endpoint"))


def test_the_gauge_histogram_can_be_carried() -> None:
    monitor = named(rendered(*REQUIRED), "PodMonitor", f"{RELEASE}-exporter")["spec"]
    assert monitor["scrapeProtocols"][0].startswith("OpenMetrics")
