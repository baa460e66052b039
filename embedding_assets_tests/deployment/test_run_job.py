"""The Kubernetes Job of a run of ours, as dagster-k8s posts it under our values: valid, and with everything a run needs."""

import json
from typing import Any

import kubernetes_validate
import pytest

from embedding_assets_tests.contracts.dump_run_job import RUN_JOB_FILE, run_job_page
from embedding_assets_tests.support.helm import IMAGE, NAMESPACE, RELEASE, Object
from embedding_assets_tests.support.run_job import JOB, RUN_ID, posted_job


@pytest.fixture(scope="module")
def posted() -> tuple[str, Object]:
    return posted_job()


@pytest.fixture(scope="module")
def container(posted: tuple[str, Object]) -> Object:
    (only,) = posted[1]["spec"]["template"]["spec"]["containers"]
    return only


def test_it_is_valid_to_the_last_key_and_goes_to_our_namespace(posted: tuple[str, Object]) -> None:
    where, job = posted
    kubernetes_validate.validate(job, "1.37.0", strict=True)
    assert where == f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
    assert job["metadata"]["name"] == f"dagster-run-{RUN_ID}"


def test_it_is_gone_ten_minutes_after_the_run_and_starts_no_second_pod(posted: tuple[str, Object]) -> None:
    spec = posted[1]["spec"]
    assert (spec["ttlSecondsAfterFinished"], spec["backoffLimit"]) == (600, 0)
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 60


def test_it_runs_the_image_of_the_code_server_and_says_which_run_it_is(container: Object) -> None:
    assert container["image"] == f"{IMAGE}:0.1.0"
    program, *_, arguments = container["args"]
    told = json.loads(arguments)
    assert program == "dagster"
    assert told["pipeline_run_id"] == RUN_ID
    assert told["pipeline_origin"]["pipeline_name"] == JOB
    # A run that failed is a failed pod.
    assert told["set_exit_code_on_failure"] is True
    # What the run is told of its storage holds no password: it reads it from its environment.
    assert "DAGSTER_PG_PASSWORD" in arguments


def test_settings_file_and_secrets_reach_the_run(container: Object) -> None:
    sources = [(kind, value["name"]) for one in container["envFrom"] for kind, value in one.items()]
    assert sources == [("configMapRef", f"{RELEASE}-settings"), ("secretRef", "embedding-assets-provider")]
    secrets = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container["env"] if "valueFrom" in one}
    assert secrets == {
        "EMBEDDING_ASSETS_DATABASE_URL": {"name": "embedding-assets-postgres-app", "key": "uri"},
        "DAGSTER_PG_PASSWORD": {"name": "dagster-postgresql-secret", "key": "postgresql-password"},
    }
    assert {one["name"]: one["mountPath"] for one in container["volumeMounts"]} == {
        "tmp": "/tmp",
        "collections": "/etc/embedding-assets",
    }


def test_the_page_shows_it_as_it_is() -> None:
    assert RUN_JOB_FILE.read_text(encoding="utf-8") == run_job_page()


def test_a_code_location_that_brings_its_own_configuration_would_mount_a_token() -> None:
    """Why `includeConfigInLaunchedRuns` is off: this is what Dagster's chart sends with it on."""
    context: dict[str, Any] = {
        "k8s": {"run_k8s_config": {"pod_spec_config": {"automount_service_account_token": True}}}
    }
    assert posted_job(context)[1]["spec"]["template"]["spec"]["automountServiceAccountToken"] is True
