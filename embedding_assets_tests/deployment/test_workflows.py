"""What the chart gives to Argo: models of Argo's own, times that come, and argv that our own program understands."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
import pytest
from croniter import croniter
from hera.workflows.models import CronWorkflow, WorkflowTemplate

from embedding_assets.collections_file import load_collections_file
from embedding_assets.definitions import build_defs
from embedding_assets.settings import load_settings
from embedding_assets_tests.support.argo import SCHEDULES, argv, parameters, spec_of, uid_of, workflow
from embedding_assets_tests.support.helm import (
    COLLECTIONS_FILE,
    OPPOSITE,
    RELEASE,
    REQUIRED,
    Object,
    named,
    of_kind,
    rendered,
    understood,
)

MODELS = {"CronWorkflow": CronWorkflow, "WorkflowTemplate": WorkflowTemplate}
EVERY = pytest.mark.parametrize("name", [*SCHEDULES, f"{RELEASE}-launch"])
SCHEDULED = pytest.mark.parametrize("name", SCHEDULES)


def of_docs(*values: str) -> list[Object]:
    """The schedules of one collection."""
    every = of_kind(rendered(*values), "CronWorkflow")
    return [one for one in every if one["metadata"]["labels"]["embedding-assets/collection"] == "docs"]


def strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from strings(each)
        case list():
            for each in value:
                yield from strings(each)
        case _:
            pass


def parsed(arguments: list[str]) -> dict[str, Any]:
    """What our own program makes of this argv; nothing is run."""
    program, command, *_ = arguments
    assert (program, command) == ("embedding-assets", "launch")
    return understood(arguments[1:])


@EVERY
def test_argos_models_take_it_and_drop_nothing(name: str) -> None:
    one = workflow(name)
    model = MODELS[one["kind"]].model_validate(one)
    assert json.loads(model.model_dump_json(by_alias=True, exclude_unset=True, exclude_none=True)) == one


@EVERY
def test_its_entrypoint_is_there_and_its_inputs_are_given(name: str) -> None:
    one = workflow(name)
    spec = spec_of(one)
    templates = {each["name"]: each for each in spec["templates"]}
    inputs = [each["name"] for each in templates[spec["entrypoint"]]["inputs"]["parameters"]]
    assert inputs == list(parameters(one))


@EVERY
def test_its_placeholders_are_ones_that_argo_fills_in(name: str) -> None:
    one = workflow(name)
    known = {"workflow.uid", *(f"inputs.parameters.{each}" for each in parameters(one))}
    assert {found for text in strings(spec_of(one)) for found in re.findall(r"\{\{(.*?)\}\}", text)} == known


@SCHEDULED
def test_it_comes_at_times_that_exist_once_at_a_time_and_ends(name: str) -> None:
    one = workflow(name)
    spec = one["spec"]
    assert spec["schedules"]
    for cron in spec["schedules"]:
        new_year = datetime(2030, 1, 1, tzinfo=timezone.utc)
        assert croniter(cron, new_year).get_next(datetime) - new_year <= timedelta(days=1)
    assert "schedule" not in spec
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"] > 0
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (3, 10)
    assert spec["workflowSpec"]["activeDeadlineSeconds"] > int(parameters(one)["timeout"] or 0)


def test_retries_come_every_five_minutes_and_the_rest_nightly() -> None:
    assert {one["metadata"]["name"]: one["spec"]["schedules"] for one in of_docs(*REQUIRED)} == SCHEDULES
    # And so for every collection in the file.
    collections = load_collections_file(COLLECTIONS_FILE).collections
    assert len(of_kind(rendered(*REQUIRED), "CronWorkflow")) == len(SCHEDULES) * len(collections)


@pytest.mark.parametrize(("values", "suspended"), [(REQUIRED, True), (OPPOSITE, False)])
def test_due_retries_are_suspended_where_dagster_brings_them_back(values: tuple[str, ...], suspended: bool) -> None:  # noqa: FBT001
    objects = rendered(*values)
    spec = {one["metadata"]["name"]: one["spec"]["suspend"] for one in of_docs(*values)}
    assert spec == {"docs-retries": suspended, "docs-reconcile": False, "docs-report": False}
    # Whoever is suspended here runs there: code server and chart read one value.
    trigger = named(objects, "ConfigMap", f"{RELEASE}-settings")["data"]["EMBEDDING_ASSETS_RETRIES_TRIGGER"]
    assert trigger == ("dagster" if suspended else "argo")


@SCHEDULED
def test_our_program_understands_its_argv(name: str) -> None:
    one = workflow(name)
    understood = parsed(argv(one))
    given = parameters(one)
    assert understood["job"] == given["job"]
    assert understood["timeout"] == float(given["timeout"] or 0)
    assert understood["wait"] is True
    assert understood["key"] == uid_of(one)
    assert understood["url"] == "http://dagster-dagster-webserver:8080"


def test_our_program_understands_the_templates_argv_with_partitions_and_config() -> None:
    template = workflow(f"{RELEASE}-launch")
    given = {"job": "docs__embed_documents", "partitions": "00-15", "config": '{"ops": {}}', "timeout": "60"}
    understood = parsed(argv(template, **given))
    assert {name: understood[name] for name in ("job", "partitions", "config")} == {
        name: given[name] for name in ("job", "partitions", "config")
    }


@SCHEDULED
def test_the_job_that_is_scheduled_exists_and_takes_its_config(name: str) -> None:
    settings = load_settings(
        {
            "EMBEDDING_ASSETS_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
            "EMBEDDING_ASSETS_COLLECTIONS_FILE": str(COLLECTIONS_FILE),
        }
    )
    given = parameters(workflow(name))
    job = build_defs(settings=settings).resolve_job_def(str(given["job"]))
    dg.validate_run_config(job, json.loads(given["config"] or "{}"))


def test_the_nightly_reconcile_lists_all_of_the_source() -> None:
    config = json.loads(parameters(workflow("docs-reconcile"))["config"] or "")
    assert config == {"ops": {"docs__poll_source": {"config": {"whole": True}}}}


def test_the_longest_name_of_a_collection_leaves_argo_room_for_the_time() -> None:
    longest = "c" + "_9" * 20
    objects = rendered("--set", "image.repository=r", "--set", f"collections=[collections.{longest}]")
    names = [one["metadata"]["name"] for one in of_kind(objects, "CronWorkflow")]
    assert len(names) == 3
    assert max(map(len, names)) <= 52
    assert all(re.fullmatch("[a-z0-9]([-a-z0-9]*[a-z0-9])?", name) for name in names)


def test_argos_step_may_report_its_result_and_nothing_else() -> None:
    role = named(rendered(*REQUIRED), "Role", f"{RELEASE}-workflow")
    assert role["rules"] == [
        {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    ]
