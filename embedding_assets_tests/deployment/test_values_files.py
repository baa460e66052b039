"""helm-values/ of others' charts: each says which chart it is for, and they agree with ours and with one another."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from croniter import croniter

from embedding_assets_tests.support.helm import COLLECTIONS_FILE, IMAGE, VALUES, rendered, values_of

FILES = sorted(path.name for path in VALUES.glob("*.yaml"))
PINNED = {
    "argo-workflows.yaml": ("argo-workflows", "1.0.19"),
    "dagster.yaml": ("dagster", "1.12.19"),
    "kube-prometheus-stack.yaml": ("kube-prometheus-stack", "67.8.0"),
    "litellm.yaml": ("litellm-helm", "1.1.0"),
    "postgres-cnpg.yaml": ("cluster", "0.3.1"),
    "vcluster.yaml": ("vcluster", "0.20.0"),
}


def found(value: Any, key: str) -> Iterator[Any]:
    """Every value under this key, however deep."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        for each in value.values():
            yield from found(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from found(each, key)


def test_every_file_is_listed_here() -> None:
    assert set(PINNED) == set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_its_head_names_the_chart_and_the_version_that_is_installed(file: str) -> None:
    text = (VALUES / file).read_text(encoding="utf-8")
    name, version = PINNED[file]
    assert re.match(rf"# Chart: {name}\b.*, version {re.escape(version)}", text)
    assert re.findall(r"--version (\S+)", text) == [version]
    assert f"--values helm-values/{file}" in text


@pytest.mark.parametrize("file", FILES)
def test_whoever_gets_memory_has_a_limit_of_it(file: str) -> None:
    containers = [each for each in found(values_of(file), "resources") if "limits" in each]
    assert containers
    for each in containers:
        assert "memory" in each["limits"]
        assert {"cpu", "memory"} <= each["requests"].keys()


def test_postgresql_has_pgvector_a_database_for_dagster_backups_and_poolers() -> None:
    values = values_of("postgres-cnpg.yaml")
    cluster = values["cluster"]
    assert cluster["initdb"]["postInitApplicationSQL"] == ["CREATE EXTENSION IF NOT EXISTS vector"]
    assert "CREATE DATABASE dagster OWNER dagster" in cluster["initdb"]["postInitSQL"]
    assert values["backups"]["enabled"]
    assert croniter.is_valid(values["backups"]["scheduledBackups"][0]["schedule"].partition(" ")[2])
    assert cluster["enableSuperuserAccess"] is False
    # Of the applications that search. Session locks and notifications do not pass through a transaction pooler.
    assert [(one["type"], one["poolMode"]) for one in values["poolers"]] == [("ro", "transaction")]
    ours = values_of("chart/values.yaml")
    name = values["fullnameOverride"]
    assert ours["dagster"]["storage"]["host"] == f"{name}-rw"
    assert ours["secrets"]["database"] == {"name": f"{name}-app", "key": "uri"}
    (role,) = cluster["roles"]
    storage = ours["dagster"]["storage"]
    assert (role["name"], role["passwordSecret"]["name"]) == (storage["user"], storage["passwordSecret"]["name"])
    (peer,) = ours["networkPolicy"]["postgres"]["to"]
    assert peer["podSelector"]["matchLabels"] == {"cnpg.io/cluster": name}


def test_argo_manages_our_namespace_and_its_own_containers_hold_the_profile() -> None:
    values = values_of("argo-workflows.yaml")
    assert "--namespace embedding " in (VALUES / "dagster.yaml").read_text(encoding="utf-8")
    assert values["controller"]["workflowNamespaces"] == ["embedding"]
    executor = values["executor"]["securityContext"]
    assert executor["capabilities"] == {"drop": ["ALL"]}
    assert (executor["runAsNonRoot"], executor["allowPrivilegeEscalation"]) == (True, False)
    assert executor["seccompProfile"] == {"type": "RuntimeDefault"}


def test_prometheus_takes_what_is_not_labelled_for_it_and_keeps_more_than_the_objectives_look_back() -> None:
    spec = values_of("kube-prometheus-stack.yaml")["prometheus"]["prometheusSpec"]
    assert [value for key, value in spec.items() if key.endswith("SelectorNilUsesHelmValues")] == [False] * 5
    days = int(spec["retention"].removesuffix("d"))
    rules = (VALUES.parent / "dashboards" / "rules" / "objectives.yaml").read_text(encoding="utf-8")
    assert days > max(int(found) for found in re.findall(r"\[(\d+)d\]", rules))


def test_grafanas_sidecar_looks_for_the_label_that_our_chart_writes() -> None:
    sidecar = values_of("kube-prometheus-stack.yaml")["grafana"]["sidecar"]["dashboards"]
    ours = values_of("chart/values.yaml")["monitoring"]["dashboards"]
    assert (sidecar["label"], sidecar["labelValue"]) == (ours["label"], ours["labelValue"])
    assert sidecar["folderAnnotation"] == ours["folderAnnotation"]
    assert sidecar["searchNamespace"] == "ALL"


def test_the_proxy_sends_once_and_holds_no_key_in_its_values() -> None:
    config = values_of("litellm.yaml")["proxy_config"]
    assert config["litellm_settings"]["num_retries"] == 0
    assert list(found(config, "api_key")) == []
    assert list(found(config, "master_key")) == ["os.environ/PROXY_MASTER_KEY"]


@pytest.mark.parametrize("file", FILES)
def test_nothing_is_sent_home(file: str) -> None:
    for switch in found(values_of(file), "telemetry"):
        assert switch is False or switch == {"enabled": False}


def test_each_file_is_yaml_without_a_key_twice() -> None:
    class Strict(yaml.SafeLoader):
        pass

    def mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
        keys = [loader.construct_object(key) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key twice in {keys}"
        return loader.construct_mapping(node, deep=True)

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    for file in (*FILES, "chart/values.yaml"):
        yaml.load((VALUES / file).read_text(encoding="utf-8"), Loader=Strict)


def commands() -> list[list[str]]:
    """The helm commands of the page, as a shell would split them."""
    page = (VALUES.parent / "docs" / "deployment.md").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip().removeprefix("$ ") for line in page.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("helm upgrade")]


def test_the_page_installs_each_chart_in_the_version_that_its_values_are_for() -> None:
    installed = {
        Path(words[words.index("--values") + 1]).name: words[words.index("--version") + 1]
        for words in commands()
        if "--values" in words
    }
    pinned = {file: version for file, (_, version) in PINNED.items()}
    assert installed.items() <= pinned.items()
    assert set(pinned) - set(installed) == {"litellm.yaml", "vcluster.yaml"}


def test_the_pages_commands_for_our_chart_render() -> None:
    ours = [words for words in commands() if "helm-values/chart" in words]
    assert len(ours) == 2
    for words in ours:
        given = [word for at, word in enumerate(words) if words[at - 1] == "--set"]
        filled = [
            word.replace("$IMAGE", IMAGE).replace("YOUR-SECRET", "database").replace("YOURS", "yours") for word in given
        ]
        sets = [part for word in filled for part in ("--set", word)]
        assert rendered(*sets, "--set-file", f"collections={COLLECTIONS_FILE}")
