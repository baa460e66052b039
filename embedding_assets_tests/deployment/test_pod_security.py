"""Every pod that we or a run of ours starts holds the restricted profile, carries no token and no secret's value."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from embedding_assets_tests.support.helm import (
    REQUIRED,
    VALUE_SETS,
    VALUES,
    Object,
    of_kind,
    pod_specs,
    rendered,
    values_of,
)
from embedding_assets_tests.support.pod_security import breaches
from embedding_assets_tests.support.run_job import posted_job

FILES = sorted(path.name for path in VALUES.glob("*.yaml"))


@pytest.fixture(scope="module")
def run_pod() -> Object:
    return posted_job()[1]["spec"]["template"]["spec"]


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_every_pod_of_the_chart_holds_the_restricted_profile(values: tuple[str, ...]) -> None:
    pods = pod_specs(rendered(*values))
    assert pods
    assert {name: breaches(spec) for name, (_, spec) in pods.items()} == {name: [] for name in pods}


def test_the_pod_of_a_run_holds_it_too(run_pod: Object) -> None:
    assert breaches(run_pod) == []


@pytest.mark.parametrize("part", ["dagsterWebserver", "dagsterDaemon", "code server"])
def test_dagsters_own_pods_hold_it_too(part: str) -> None:
    values = values_of("dagster.yaml")
    code = values["dagster-user-deployments"]["deployments"][0]
    given = code if part == "code server" else values[part]
    container = {key: given[key] for key in ("securityContext", "resources", "volumeMounts")}
    pod = {"securityContext": given["podSecurityContext"], "containers": [{"name": part, **container}]}
    assert breaches({**pod, "volumes": given["volumes"]}) == []
    assert {"readinessProbe", "livenessProbe", "startupProbe"} & given.keys() >= {"livenessProbe", "startupProbe"}


@pytest.mark.parametrize(
    ("path", "value", "breach"),
    [
        (("hostNetwork",), True, "hostNetwork"),
        (("securityContext", "runAsUser"), 0, "dagster: root"),
        (("containers", 0, "securityContext", "capabilities"), {"add": ["NET_ADMIN"]}, "dagster: capabilities"),
        (("containers", 0, "securityContext", "allowPrivilegeEscalation"), True, "dagster: privilege"),
        (("containers", 0, "securityContext", "readOnlyRootFilesystem"), False, "dagster: writable root"),
        (("volumes", 0), {"name": "host", "hostPath": {"path": "/"}}, "volume host"),
        (("containers", 0, "resources"), {}, "dagster: resources"),
    ],
)
def test_a_breach_is_found(run_pod: Object, path: tuple[str | int, ...], value: Any, breach: str) -> None:
    spec: Any = copy.deepcopy(run_pod)
    *above, last = path
    place = spec
    for step in above:
        place = place[step]
    place[last] = value
    assert breaches(spec) == [breach]


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_only_argos_steps_carry_a_token_of_the_cluster(values: tuple[str, ...]) -> None:
    for name, (_, spec) in pod_specs(rendered(*values)).items():
        if not name.startswith("WorkflowTemplate"):
            assert spec["automountServiceAccountToken"] is False, name


def test_a_run_carries_no_token_of_the_cluster(run_pod: Object) -> None:
    assert run_pod["automountServiceAccountToken"] is False
    assert run_pod["serviceAccountName"] == "embedding-assets"


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for key, each in value.items():
                yield from leaves(each, f"{path}.{key}")
        case list():
            for each in value:
                yield from leaves(each, f"{path}[]")
        case _:
            yield path, str(value)


# A password in a URL, a key of a known provider, a private key, a long random word.
_SECRET = re.compile(
    r"://[^/\s:@$]+:[^/\s@$]+@|\b(sk|pk|ghp|glpat|AKIA|AIza)[-_A-Za-z0-9]{10,}|-----BEGIN|\b[A-Za-z0-9+/]{40,}={0,2}\b"
)
_NAMED = re.compile(r"(password|passwd|token|api_?key|credentials?)$", re.IGNORECASE)


def looks_secret(path: str, value: str) -> bool:
    return bool(_SECRET.search(value)) or bool(_NAMED.search(path) and value not in {"", "None", "False", "True"})


@pytest.mark.parametrize("file", FILES)
def test_no_value_of_a_values_file_looks_like_a_secret(file: str) -> None:
    assert [path for path, value in leaves(values_of(file)) if looks_secret(path, value)] == []


def test_no_value_of_our_chart_looks_like_a_secret() -> None:
    assert [path for path, value in leaves(values_of("chart/values.yaml")) if looks_secret(path, value)] == []
    assert of_kind(rendered(*REQUIRED), "Secret") == []
    for one in rendered(*REQUIRED):
        kept = {key: value for key, value in one.items() if key != "data"}
        assert [path for path, value in leaves(kept) if looks_secret(path, value) and "checksum" not in path] == []


@pytest.mark.parametrize(
    "leaked", [(".url", "postgresql://u:hunter2@h/d"), (".x", "sk-abcdefghijklmnop"), (".api_key", "anything")]
)
def test_what_looks_like_a_secret_is_found(leaked: tuple[str, str]) -> None:
    assert looks_secret(*leaked)


def test_secrets_come_by_name_and_key_only(run_pod: Object) -> None:
    specs = [spec for _, spec in pod_specs(rendered(*REQUIRED)).values()]
    for spec in (*specs, run_pod):
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            for variable in container.get("env", ()):
                if re.search("PASSWORD|DATABASE_URL|KEY$|TOKEN", variable["name"]):
                    assert list(variable["valueFrom"]) == ["secretKeyRef"]
