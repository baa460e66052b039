"""helm-values/dagster.yaml: keys that the chart knows, an instance that Dagster itself loads, and images of the Dagster we lock."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster_k8s import K8sRunLauncher

from embedding_assets.settings import Settings, variable_of
from embedding_assets_tests.support.dagster_chart import instance_config, unknown_keys
from embedding_assets_tests.support.helm import NAMESPACE, RELEASE, REQUIRED, TOP, of_kind, rendered, values_of

VALUES = values_of("dagster.yaml")
DEPLOYMENT = VALUES["dagster-user-deployments"]["deployments"][0]
LAUNCHER = VALUES["runLauncher"]["config"]["k8sRunLauncher"]


def rendered_instance() -> dict[str, Any]:
    return instance_config(VALUES, release="dagster", namespace=NAMESPACE)


def said(less: Any, more: Any, path: str = "") -> list[str]:
    """Paths of `less` where `more` says something else or nothing."""
    if isinstance(less, Mapping) and isinstance(more, Mapping):
        return [found for key, value in less.items() for found in said(value, more.get(key), f"{path}.{key}")]
    return [] if less == more else [path]


def test_the_chart_knows_every_key() -> None:
    assert list(unknown_keys(VALUES)) == []


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"dagsterWebserver": {"replicas": 2}}, "dagsterWebserver.replicas"),
        ({"runLauncher": {"config": {"k8sRunLauncher": {"env": []}}}}, "runLauncher.config.k8sRunLauncher.env"),
        ({"dagster-user-deployments": {"deployments": [{"args": []}]}}, "dagster-user-deployments.deployments[].args"),
    ],
)
def test_a_key_that_the_chart_does_not_know_is_found(wrong: dict[str, Any], path: str) -> None:
    assert list(unknown_keys(wrong)) == [path]


def test_dagster_loads_the_instance_that_the_chart_renders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_PG_PASSWORD", "never shown")
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(rendered_instance()), encoding="utf-8")
    # Reads the file through Dagster's own schema: an unknown or wrong key raises.
    ref = InstanceRef.from_dir(str(tmp_path))
    assert ref.run_launcher_data
    assert ref.run_launcher_data.class_name == K8sRunLauncher.__name__
    assert ref.settings["telemetry"] == {"enabled": False}
    assert ref.settings["nux"] == {"enabled": False}
    assert said({"run_monitoring": {"poll_interval_seconds": 30}}, ref.settings) == []
    for data in (ref.run_storage_data, ref.event_storage_data, ref.schedule_storage_data):
        assert data
        assert data.config_dict["postgres_db"]["scheme"] == "postgresql+psycopg2"
        assert data.config_dict["postgres_db"]["password"] == {"env": "DAGSTER_PG_PASSWORD"}


@pytest.mark.parametrize(
    ("section", "value"), [("run_monitoring", {"enabled": True, "poll_seconds": 30}), ("nuxx", {"enabled": False})]
)
def test_dagster_refuses_an_instance_with_a_wrong_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, value: Any
) -> None:
    monkeypatch.setenv("DAGSTER_PG_PASSWORD", "x")
    wrong = {**rendered_instance(), section: value}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(wrong), encoding="utf-8")
    with pytest.raises(dg.DagsterInvalidConfigError):
        InstanceRef.from_dir(str(tmp_path))


def test_the_embedded_default_says_the_same_where_it_can() -> None:
    embedded = yaml.safe_load((TOP / "embedding_assets" / "cli" / "dagster.yaml").read_text(encoding="utf-8"))
    del embedded["storage"]
    cluster = rendered_instance()
    assert said(embedded, cluster) == []


def test_the_images_carry_the_dagster_that_is_locked() -> None:
    locked = dict(
        re.findall(
            r"^([a-z0-9-]+)(?:\[.*\])?==(\S+)",
            (TOP / "requirements" / "runtime.txt").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    assert locked["dagster"] == locked["dagster-webserver"] == version("dagster")
    for part in ("dagsterWebserver", "dagsterDaemon"):
        assert VALUES[part]["image"]["tag"] == locked["dagster"]


def test_the_code_location_is_called_the_same_everywhere() -> None:
    (server,) = VALUES["dagsterWebserver"]["workspace"]["servers"]
    workspace = yaml.safe_load((TOP / "workspace.yaml").read_text(encoding="utf-8"))
    assert server["name"] == workspace["load_from"][0]["python_module"]["location_name"]
    assert server["name"] == Settings.model_fields["dagster_location"].default
    assert server["name"] == values_of("chart/values.yaml")["dagster"]["location"]
    # The Service of the code server has the deployment's name.
    assert (server["host"], server["port"]) == (DEPLOYMENT["name"], DEPLOYMENT["port"])


def test_it_names_what_our_chart_makes() -> None:
    objects = rendered(*REQUIRED)
    made = {one["metadata"]["name"] for one in of_kind(objects, "ConfigMap")}
    for part in (DEPLOYMENT, LAUNCHER):
        assert {one["name"] for one in part["envConfigMaps"]} == {f"{RELEASE}-settings"}
        assert {one["configMap"]["name"] for one in part["volumes"] if "configMap" in one} == {f"{RELEASE}-collections"}
        assert {f"{RELEASE}-settings", f"{RELEASE}-collections"} <= made
    accounts = {one["metadata"]["name"] for one in of_kind(objects, "ServiceAccount")}
    assert LAUNCHER["runK8sConfig"]["podSpecConfig"]["serviceAccountName"] in accounts


def test_our_chart_and_dagsters_agree_on_ports_storage_and_image_tag() -> None:
    ours = values_of("chart/values.yaml")
    storage = ours["dagster"]["storage"]
    theirs = VALUES["postgresql"]
    assert (storage["host"], storage["port"], storage["user"], storage["database"]) == (
        theirs["postgresqlHost"],
        theirs["service"]["port"],
        theirs["postgresqlUsername"],
        theirs["postgresqlDatabase"],
    )
    assert storage["passwordSecret"]["name"] == VALUES["global"]["postgresqlSecretName"]
    assert (ours["dagster"]["codeServer"], ours["dagster"]["codeServerPort"]) == (
        DEPLOYMENT["name"],
        DEPLOYMENT["port"],
    )
    assert ours["dagster"]["webserverPort"] == VALUES["dagsterWebserver"]["service"]["port"]
    assert ours["dagster"]["webserverUrl"].endswith(f":{ours['dagster']['webserverPort']}")
    assert DEPLOYMENT["image"]["tag"] == str(values_of("chart/Chart.yaml")["appVersion"])


def test_secrets_reach_only_who_needs_them() -> None:
    ours = values_of("chart/values.yaml")["secrets"]["database"]
    database = [{"name": variable_of("database_url"), "valueFrom": {"secretKeyRef": ours}}]
    assert DEPLOYMENT["env"] == LAUNCHER["runK8sConfig"]["containerConfig"]["env"] == database
    assert "envSecrets" not in DEPLOYMENT
    assert LAUNCHER["envSecrets"] == [{"name": "embedding-assets-provider"}]
    for part in ("dagsterWebserver", "dagsterDaemon"):
        assert "envSecrets" not in VALUES[part]
        assert all("valueFrom" not in one for one in VALUES[part]["env"])
