"""Our chart, rendered and checked by the helm that `make tools` installs. What the objects must be is in deployment/."""

import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import typer
import yaml
from typer.core import TyperGroup

from embedding_assets.cli.app import app

Object: TypeAlias = dict[str, Any]

TOP = Path(__file__).parents[2]
VALUES = TOP / "helm-values"
CHART = VALUES / "chart"
COLLECTIONS_FILE = TOP / "collections.example.toml"
IMAGE = "registry.example/embedding-assets"
RELEASE, NAMESPACE = "embedding-assets", "embedding"

# What an operator has to give, and nothing else.
REQUIRED = ("--set", f"image.repository={IMAGE}", "--set-file", f"collections={COLLECTIONS_FILE}")
# The other side of every switch.
OPPOSITE = (
    *REQUIRED,
    *("--set", "trigger.retries=argo", "--set", "migration.dagster=false"),
    *("--set", "image.tag=1.2.3", "--set", f"image.digest=sha256:{'a' * 64}", "--set", "imagePullSecrets[0].name=pull"),
    *("--set", "migration.roles[0].kind=exporter,migration.roles[0].name=metrics"),
    *("--set", "migration.roles[1].kind=reader,migration.roles[1].name=chat,migration.roles[1].collection=docs"),
    *("--set", "secrets.owner.name=owner-url", "--set", "secrets.exporter.name=exporter-url"),
    *("--set", "nodeSelector.pool=batch", "--set", "tolerations[0].operator=Exists"),
    *("--set", "settings.EMBEDDING_ASSETS_POOL_SIZE=4", "--set", "networkPolicy.readOnlyWebserver=null"),
    *("--set", "monitoring.podMonitor.labels.release=prometheus"),
)
# Where neither Argo nor the Prometheus Operator is.
SMALLEST = (
    *REQUIRED,
    *("--set", "argo.enabled=false", "--set", "networkPolicy.enabled=false", "--set", "migration.enabled=false"),
    *("--set", "monitoring.podMonitor.enabled=false", "--set", "monitoring.prometheusRule.enabled=false"),
    *("--set", "monitoring.dashboards.enabled=false"),
)
VALUE_SETS: Mapping[str, tuple[str, ...]] = {"required": REQUIRED, "opposite": OPPOSITE, "smallest": SMALLEST}


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """One call of helm, whatever becomes of it."""
    program = TOP / ".tools" / "bin" / "helm"
    if not program.exists():
        message = f"{program} is missing: run `make tools`"
        raise FileNotFoundError(message)
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False, timeout=60)


@cache
def rendered(*arguments: str) -> tuple[Object, ...]:
    """Every object of the release, hooks included."""
    done = helm("template", RELEASE, str(CHART), "--namespace", NAMESPACE, *arguments)
    assert done.returncode == 0, done.stderr
    return tuple(one for one in yaml.safe_load_all(done.stdout) if one)


def of_kind(objects: Sequence[Object], *kinds: str) -> list[Object]:
    """Those of these kinds, in the order of the release."""
    return [one for one in objects if one["kind"] in kinds]


def named(objects: Sequence[Object], kind: str, name: str) -> Object:
    """The one of this kind and name."""
    (found,) = [one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def values_of(name: str) -> Object:
    """A values file of helm-values/."""
    return yaml.safe_load((VALUES / name).read_text(encoding="utf-8"))


def pod_specs(objects: Sequence[Object]) -> dict[str, tuple[Object, Object]]:
    """Pod labels and pod spec of everything that starts pods; a template of workflows counts as the pod that it makes."""
    found: dict[str, tuple[Object, Object]] = {}
    for one in objects:
        where = f"{one['kind']}/{one['metadata']['name']}"
        match one["kind"]:
            case "Deployment" | "Job":
                template = one["spec"]["template"]
                found[where] = template["metadata"]["labels"], template["spec"]
            case "WorkflowTemplate":
                found[where] = _workflow_pod(one["spec"])
            case _:
                pass
    return found


def understood(arguments: Sequence[str]) -> Object:
    """What our own program makes of these arguments: the last command's parameters. Nothing is run."""
    command: Any = typer.main.get_command(app)
    rest = list(arguments)
    while isinstance(command, TyperGroup):
        name, *rest = rest
        command = command.commands[name]
    return command.make_context(command.name, rest).params


def _workflow_pod(spec: Object) -> tuple[Object, Object]:
    """What Argo makes of a workflow with container templates: its labels, and the pod but for Argo's own containers."""
    pod = {key: spec[key] for key in ("serviceAccountName", "securityContext", "volumes")}
    pod["containers"] = [template["container"] for template in spec["templates"]]
    return spec["podMetadata"]["labels"], pod
