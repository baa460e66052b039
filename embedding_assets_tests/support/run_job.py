"""The Kubernetes Job that dagster-k8s makes of a run of ours under helm-values/dagster.yaml, as it posts it to the API.

Real: the values, Dagster's reading of them, the launcher, the run of a job of ours, the HTTP request. Not here: a cluster.
"""

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias
from unittest.mock import patch

import dagster as dg
import yaml
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.instance.ref import InstanceRef
from dagster._core.instance.types import InstanceType
from dagster._core.launcher.base import LaunchRunContext
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.runs import InMemoryRunStorage
from dagster_k8s import K8sRunLauncher

from embedding_assets.definitions import build_defs
from embedding_assets.defs.partitions import range_tags
from embedding_assets.settings import load_settings
from embedding_assets_tests.support.dagster_chart import instance_config
from embedding_assets_tests.support.helm import COLLECTIONS_FILE, IMAGE, NAMESPACE, Object, values_of
from embedding_assets_tests.support.kubernetes_api import KubernetesApi, kubernetes_api

Values: TypeAlias = Mapping[str, Any]
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
RUN_ID = "7d3a4c1e-0000-4000-8000-000000000001"
JOB = "docs__embed_documents"


def posted_job(container_context: dict[str, Any] | None = None) -> tuple[str, Object]:
    """Where the launcher posts the run's Job, and the Job; `container_context` is what a code location may bring along."""
    with rendered_instance(values_of("dagster.yaml")) as (ref, api, folder):
        kubeconfig = api.write_kubeconfig(folder / "kubeconfig")
        with _instance(ref, kubeconfig, folder) as instance:
            instance.run_launcher.launch_run(LaunchRunContext(_run(instance, container_context), workspace=None))
        (posted,) = api.posted
        return posted


def stored_and_posted(values: Values, collections_file: Path) -> Object:
    """The Job of a run that is stored, as by the daemon, where these values say."""
    with rendered_instance(values, kubeconfig=True) as (ref, api, _), dg.DagsterInstance.from_ref(ref) as instance:
        run = _run(instance, None, collections_file)
        instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
        ((_, job),) = api.posted
        return job


@contextmanager
def rendered_instance(
    values: Values, *, kubeconfig: bool = False
) -> Generator[tuple[InstanceRef, KubernetesApi, Path], None, None]:
    """The instance of these values, read by Dagster, and an API for it; with `kubeconfig` its launcher asks that one."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        stack.enter_context(patch.dict("os.environ", {"DAGSTER_PG_PASSWORD": "unused"}))
        api = stack.enter_context(kubernetes_api())
        config = instance_config(values, release="dagster", namespace=NAMESPACE)
        if kubeconfig:
            outside = {
                "load_incluster_config": False,
                "kubeconfig_file": str(api.write_kubeconfig(folder / "kubeconfig")),
            }
            config["run_launcher"]["config"].update(outside)
        (folder / "dagster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        yield InstanceRef.from_dir(str(folder)), api, folder


def _instance(ref: InstanceRef, kubeconfig: Path, folder: Path) -> dg.DagsterInstance:
    """The rendered instance with the rendered launcher; its API is ours, and runs and events stay in memory."""
    assert ref.run_launcher_data
    launcher = ref.run_launcher_data.config_dict
    outside = {**launcher, "load_incluster_config": False, "kubeconfig_file": str(kubeconfig)}
    return dg.DagsterInstance(
        instance_type=InstanceType.EPHEMERAL,
        local_artifact_storage=LocalArtifactStorage(str(folder)),
        run_storage=InMemoryRunStorage(),
        event_storage=InMemoryEventLogStorage(),
        run_coordinator=None,
        compute_log_manager=None,
        run_launcher=K8sRunLauncher.from_config_value(ref.run_launcher_data, outside),
        ref=ref,
    )


def _run(
    instance: dg.DagsterInstance, container_context: dict[str, Any] | None, collections_file: Path = COLLECTIONS_FILE
) -> dg.DagsterRun:
    settings = load_settings(
        {"EMBEDDING_ASSETS_DATABASE_URL": NOWHERE, "EMBEDDING_ASSETS_COLLECTIONS_FILE": str(collections_file)}
    )
    job = build_defs(settings=settings).resolve_job_def(JOB)
    # As the code server in the cluster says of itself.
    origin = RepositoryPythonOrigin(
        executable_path="/usr/local/bin/python",
        code_pointer=ModuleCodePointer("embedding_assets.definitions", "defs", None),
        container_image=f"{IMAGE}:0.1.0",
        entry_point=["dagster"],
        container_context=container_context,
    )
    return instance.create_run_for_job(
        job, run_id=RUN_ID, tags={**job.tags, **range_tags()}, job_code_origin=JobPythonOrigin(JOB, origin)
    )
