"""The Kubernetes Job that dagster-k8s makes of a run of ours under helm-values/dagster.yaml, as it posts it to the API.

Real: the values, Dagster's reading of them, the launcher, the run of a job of ours, the HTTP request. Not here: a cluster.
"""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
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
from embedding_assets.settings import load_settings
from embedding_assets_tests.support.dagster_chart import instance_config
from embedding_assets_tests.support.helm import COLLECTIONS_FILE, IMAGE, NAMESPACE, Object, values_of
from embedding_assets_tests.support.kubernetes_api import kubernetes_api

RUN_ID = "7d3a4c1e-0000-4000-8000-000000000001"
JOB = "docs__embed_documents"


def posted_job(container_context: dict[str, Any] | None = None) -> tuple[str, Object]:
    """Where the launcher posts the run's Job, and the Job; `container_context` is what a code location may bring along."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        stack.enter_context(patch.dict("os.environ", {"DAGSTER_PG_PASSWORD": "unused"}))
        config = instance_config(values_of("dagster.yaml"), release="dagster", namespace=NAMESPACE)
        (folder / "dagster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        api = stack.enter_context(kubernetes_api())
        kubeconfig = api.write_kubeconfig(folder / "kubeconfig")
        with _instance(InstanceRef.from_dir(str(folder)), kubeconfig, folder) as instance:
            run = _run(instance, container_context)
            instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
        (posted,) = api.posted
        return posted


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


def _run(instance: dg.DagsterInstance, container_context: dict[str, Any] | None) -> dg.DagsterRun:
    settings = load_settings(
        {
            "EMBEDDING_ASSETS_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
            "EMBEDDING_ASSETS_COLLECTIONS_FILE": str(COLLECTIONS_FILE),
        }
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
    return instance.create_run_for_job(job, run_id=RUN_ID, tags=job.tags, job_code_origin=JobPythonOrigin(JOB, origin))
