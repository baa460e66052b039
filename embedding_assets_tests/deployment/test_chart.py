"""Our chart by the real helm: it lints, renders, refuses what it must, and every core object is valid."""

import json
import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from embedding_assets.settings import load_settings, unknown_variables, variable_of
from embedding_assets_tests.support.helm import (
    CHART,
    COLLECTIONS_FILE,
    IMAGE,
    OPPOSITE,
    RELEASE,
    REQUIRED,
    SMALLEST,
    TOP,
    VALUE_SETS,
    helm,
    named,
    of_kind,
    pod_specs,
    rendered,
    understood,
)

CUSTOM = {"CronWorkflow", "WorkflowTemplate", "PodMonitor", "PrometheusRule"}


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_it_lints_without_a_warning(values: tuple[str, ...]) -> None:
    done = helm("lint", "--strict", str(CHART), *values)
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_every_core_object_is_valid_to_the_last_key(values: tuple[str, ...]) -> None:
    for one in rendered(*values):
        if one["kind"] not in CUSTOM:
            kubernetes_validate.validate(one, "1.37.0", strict=True)


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_no_two_objects_have_one_name_and_all_are_labelled(values: tuple[str, ...]) -> None:
    objects = rendered(*values)
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(names) == len(set(names))
    assert {one["metadata"]["labels"]["app.kubernetes.io/instance"] for one in objects} == {RELEASE}


def test_everything_that_a_cluster_may_lack_can_be_left_out() -> None:
    assert {one["kind"] for one in rendered(*SMALLEST)} == {"ServiceAccount", "ConfigMap", "Deployment"}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (("--set-file", f"collections={COLLECTIONS_FILE}"), "image.repository is not set: push the image"),
        (("--set", f"image.repository={IMAGE}"), "collections is not set: give the collections file"),
        (("--set", f"image.repository={IMAGE},collections=a = ["), "collections is not valid TOML"),
        ((*REQUIRED, "--set", "trigger.retries=both"), "/trigger/retries"),
        ((*REQUIRED, "--set", "exporter.prot=1"), "additional properties 'prot' not allowed"),
        ((*REQUIRED, "--set", "settings.EMBEDDING_ASSETS_API_KEY=x"), "EMBEDDING_ASSETS_API_KEY"),
        ((*REQUIRED, "--set", "dagster.webserverUrl=http://user:word@host"), "/dagster/webserverUrl"),
        ((*REQUIRED, "--set", "podSecurity.runAsUser=0"), "/podSecurity/runAsUser"),
    ],
)
def test_what_is_missing_or_wrong_is_refused_by_its_name(values: tuple[str, ...], says: str) -> None:
    done = helm("template", RELEASE, str(CHART), *values)
    assert done.returncode != 0
    assert says in done.stderr


def test_the_version_is_the_packages_and_what_dagsters_values_name() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    (version,) = re.findall(r'^version = "(.+)"$', (TOP / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert str(chart["appVersion"]) == version


def test_one_image_is_everywhere_and_a_digest_pins_it() -> None:
    for values, image in ((REQUIRED, f"{IMAGE}:0.1.0"), (OPPOSITE, f"{IMAGE}:1.2.3@sha256:{'a' * 64}")):
        specs = [spec for _, spec in pod_specs(rendered(*values)).values()]
        containers = [one for spec in specs for one in (*spec.get("initContainers", ()), *spec["containers"])]
        assert {one["image"] for one in containers} == {image}


def test_what_the_migration_needs_is_a_hook_that_exists_before_it() -> None:
    objects = rendered(*REQUIRED)
    job = named(objects, "Job", f"{RELEASE}-migrate")
    hooks = [one for one in objects if "helm.sh/hook" in one["metadata"].get("annotations", {})]
    weights = {one["kind"]: int(one["metadata"]["annotations"]["helm.sh/hook-weight"]) for one in hooks}
    assert {one["metadata"]["annotations"]["helm.sh/hook"] for one in hooks} == {"pre-install,pre-upgrade"}
    spec = job["spec"]["template"]["spec"]
    needed = {("ServiceAccount", spec["serviceAccountName"])}
    needed |= {("ConfigMap", one["configMap"]["name"]) for one in spec["volumes"] if "configMap" in one}
    assert needed <= {(one["kind"], one["metadata"]["name"]) for one in hooks}
    assert weights.pop("Job") > max(weights.values())
    policy = named(objects, "NetworkPolicy", f"{RELEASE}-migrate")
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_the_migration_goes_schema_then_dagster_then_collections_then_roles() -> None:
    def steps(values: tuple[str, ...]) -> list[str]:
        spec = named(rendered(*values), "Job", f"{RELEASE}-migrate")["spec"]["template"]["spec"]
        return [" ".join(one["args"]) for one in (*spec["initContainers"], *spec["containers"])]

    schema, dagster, collections = (
        "embedding-assets migrate",
        "dagster instance migrate",
        "embedding-assets collections apply",
    )
    assert steps(REQUIRED) == [schema, dagster, collections]
    roles = [f"embedding-assets roles grant {role}" for role in ("exporter metrics", "reader chat --collection docs")]
    assert steps(OPPOSITE) == [schema, collections, *roles]


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_our_own_program_understands_every_command(values: tuple[str, ...]) -> None:
    commands = [
        container["args"]
        for _, spec in pod_specs(rendered(*values)).values()
        for container in (*spec.get("initContainers", ()), *spec["containers"])
        if container.get("args", [""])[0] == "embedding-assets"
    ]
    assert commands
    for _, *arguments in commands:
        understood(arguments)


def test_the_exporter_listens_where_it_is_scraped() -> None:
    (exporter,) = pod_specs(rendered(*SMALLEST))[f"Deployment/{RELEASE}-exporter"][1]["containers"]
    (port,) = exporter["ports"]
    assert understood(exporter["args"][1:]) == {"host": "0.0.0.0", "port": port["containerPort"]}


def test_there_is_one_exporter_and_the_old_one_goes_first() -> None:
    exporter = named(rendered(*REQUIRED), "Deployment", f"{RELEASE}-exporter")["spec"]
    assert (exporter["replicas"], exporter["strategy"]["type"]) == (1, "Recreate")
    other = named(
        rendered(*REQUIRED, "--set", "settings.EMBEDDING_ASSETS_POOL_SIZE=3"), "Deployment", f"{RELEASE}-exporter"
    )
    checksums = [one["template"]["metadata"]["annotations"]["checksum/config"] for one in (exporter, other["spec"])]
    assert checksums[0] != checksums[1]


def test_every_setting_in_the_configmap_is_one_that_we_read() -> None:
    data = named(rendered(*REQUIRED), "ConfigMap", f"{RELEASE}-settings")["data"]
    assert unknown_variables(data) == {}
    settings = load_settings({**data, variable_of("database_url"): "postgresql://u@h/d"})
    assert settings.retries_trigger == "dagster"
    mounts = [
        one for _, spec in pod_specs(rendered(*REQUIRED)).values() for one in spec["containers"][0]["volumeMounts"]
    ]
    assert any(Path(one["mountPath"]) == settings.collections_file.parent for one in mounts)


def test_the_collections_file_arrives_as_it_was_written() -> None:
    written = COLLECTIONS_FILE.read_text(encoding="utf-8")
    for name in (f"{RELEASE}-collections", f"{RELEASE}-migrate"):
        assert named(rendered(*REQUIRED), "ConfigMap", name)["data"]["collections.toml"] == written


def test_every_value_is_described_by_the_schema() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert set(values) == set(schema["properties"]) - {"global"}


def test_services_of_the_namespace_leave_no_variables_in_our_pods() -> None:
    for one in of_kind(rendered(*REQUIRED), "Deployment", "Job"):
        assert one["spec"]["template"]["spec"]["enableServiceLinks"] is False
