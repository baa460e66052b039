"""Who may speak with whom: each policy finds pods that exist, and lets them reach what they need and nothing else."""

import pytest

from embedding_assets_tests.support.helm import (
    OPPOSITE,
    RELEASE,
    REQUIRED,
    Object,
    named,
    of_kind,
    pod_specs,
    rendered,
    values_of,
)
from embedding_assets_tests.support.run_job import posted_job

# What Dagster's chart writes on its pods (release `dagster`); read in its templates.
DAGSTER = {"app.kubernetes.io/name": "dagster", "app.kubernetes.io/instance": "dagster"}
CODE_SERVER = {
    "app.kubernetes.io/name": "dagster-user-deployments",
    "app.kubernetes.io/instance": "dagster",
    "component": "user-deployments",
    "deployment": "embedding-assets-code",
}
DATABASE, DNS = {5432}, {53}


def policy(name: str, *values: str) -> Object:
    return named(rendered(*(values or REQUIRED)), "NetworkPolicy", f"{RELEASE}-{name}")["spec"]


def ports(rules: list[Object]) -> set[int]:
    return {port["port"] for rule in rules for port in rule["ports"]}


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("webserver", {**DAGSTER, "component": "dagster-webserver"}),
        ("webserver-read-only", {**DAGSTER, "component": "dagster-webserver-read-only"}),
        ("daemon", {**DAGSTER, "component": "dagster-daemon", "deployment": "daemon"}),
        ("code-server", CODE_SERVER),
    ],
)
def test_it_finds_the_pods_of_dagsters_chart_and_no_other_policy_does(name: str, labels: Object) -> None:
    found = [
        one["metadata"]["name"]
        for one in of_kind(rendered(*REQUIRED), "NetworkPolicy")
        if one["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    ]
    assert found == [f"{RELEASE}-{name}"]


def test_it_finds_the_pods_of_runs_as_dagster_labels_them() -> None:
    labels = posted_job()[1]["spec"]["template"]["metadata"]["labels"]
    for one in of_kind(rendered(*REQUIRED), "NetworkPolicy"):
        finds = one["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
        assert finds == (one["metadata"]["name"] == f"{RELEASE}-runs")


def test_a_dagster_that_is_not_ours_alone_is_left_as_it_is() -> None:
    """Its web servers, its daemon, and the code servers and runs of others: a policy would close them."""
    objects = of_kind(rendered(*REQUIRED, "--set", "networkPolicy.dagster=false"), "NetworkPolicy")
    others = [
        {**DAGSTER, "component": "dagster-webserver"},
        {**DAGSTER, "component": "dagster-daemon", "deployment": "daemon"},
        {**CODE_SERVER, "deployment": "another-team"},
        {"app.kubernetes.io/name": "dagster", "app.kubernetes.io/component": "run_worker"},
    ]
    for one in objects:
        selected = one["spec"]["podSelector"]["matchLabels"].items()
        assert not any(selected <= labels.items() for labels in others), one["metadata"]["name"]
    assert {f"{RELEASE}-code-server", f"{RELEASE}-runs"} <= {one["metadata"]["name"] for one in objects}


@pytest.mark.parametrize(
    ("name", "pod"),
    [
        ("exporter", f"Deployment/{RELEASE}-exporter"),
        ("migrate", f"Job/{RELEASE}-migrate"),
        ("workflow", f"WorkflowTemplate/{RELEASE}-launch"),
    ],
)
def test_it_finds_our_own_pods(name: str, pod: str) -> None:
    labels, _ = pod_specs(rendered(*REQUIRED))[pod]
    assert policy(name)["podSelector"]["matchLabels"].items() <= labels.items()


def test_every_policy_closes_both_directions() -> None:
    for one in of_kind(rendered(*REQUIRED), "NetworkPolicy"):
        assert one["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_a_run_reaches_names_database_and_provider_and_nobody_reaches_it() -> None:
    runs = policy("runs")
    assert runs["ingress"] == []
    assert ports(runs["egress"]) == {*DNS, *DATABASE, 443}
    (internet,) = [rule for rule in runs["egress"] if ports([rule]) == {443}]
    (block,) = [peer["ipBlock"] for peer in internet["to"]]
    # Neither other services of the cluster nor the cloud's metadata address.
    assert {"10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"} <= set(block["except"])


def test_the_exporter_and_the_migration_reach_names_and_database_only() -> None:
    for name in ("exporter", "migrate"):
        assert ports(policy(name)["egress"]) == {*DNS, *DATABASE}
    assert "ingress" not in policy("migrate")
    (scrape,) = policy("exporter")["ingress"]
    assert scrape["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]


def test_the_web_server_that_can_start_runs_is_reached_by_argos_steps_only() -> None:
    (rule,) = policy("webserver")["ingress"]
    step, _ = pod_specs(rendered(*REQUIRED))[f"WorkflowTemplate/{RELEASE}-launch"]
    (peer,) = rule["from"]
    assert peer["podSelector"]["matchLabels"].items() <= step.items()
    assert ports([rule]) == {8080}


def test_whoever_is_named_reaches_it_too() -> None:
    ingress = "networkPolicy.writableWebserver[0].podSelector.matchLabels.app=oauth2-proxy"
    (rule,) = policy("webserver", *REQUIRED, "--set", ingress)["ingress"]
    assert rule["from"][1:] == [{"podSelector": {"matchLabels": {"app": "oauth2-proxy"}}}]


def test_nobody_named_for_the_read_only_one_is_nobody() -> None:
    assert policy("webserver-read-only")["ingress"] != []
    assert policy("webserver-read-only", *OPPOSITE)["ingress"] == []


def test_the_code_server_is_reached_by_dagster_only() -> None:
    (rule,) = policy("code-server")["ingress"]
    components = {peer["podSelector"]["matchLabels"]["component"] for peer in rule["from"]}
    assert components == {"dagster-webserver", "dagster-webserver-read-only", "dagster-daemon"}
    port = values_of("dagster.yaml")["dagster-user-deployments"]["deployments"][0]["port"]
    assert ports([rule]) == {port}
    assert all(port in ports(policy(name)["egress"]) for name in ("webserver", "webserver-read-only", "daemon"))


def test_argos_step_reaches_the_web_server_and_the_clusters_api_only() -> None:
    assert ports(policy("workflow")["egress"]) == {*DNS, 8080, 443, 6443}
