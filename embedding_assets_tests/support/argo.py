"""What Argo would run of our chart: its schedules and its template, with every placeholder filled in as Argo does.

Not here: rendering the chart (helm), and what is asked of these objects (deployment/).
"""

import re
import uuid

from embedding_assets_tests.support.helm import RELEASE, REQUIRED, Object, named, rendered

# The schedules that the chart makes of one collection by default.
SCHEDULES = {"docs-retries": ["*/5 * * * *"], "docs-reconcile": ["11 2 * * *"], "docs-report": ["23 23 * * *"]}


def workflow(name: str, *values: str) -> Object:
    """The schedule or template of this name, in the chart rendered with `values` beside what it requires."""
    kind = "CronWorkflow" if name in SCHEDULES else "WorkflowTemplate"
    return named(rendered(*REQUIRED, *values), kind, name)


def spec_of(one: Object, *values: str) -> Object:
    """What Argo runs: what is said here over what the template that is named says."""
    if one["kind"] == "WorkflowTemplate":
        return one["spec"]
    own = one["spec"]["workflowSpec"]
    return {**workflow(own["workflowTemplateRef"]["name"], *values)["spec"], **own}


def parameters(one: Object, *values: str) -> dict[str, str | None]:
    """The arguments of a workflow: its own over those of the template."""
    template = workflow(f"{RELEASE}-launch", *values)
    own, default = (spec_of(each, *values)["arguments"]["parameters"] for each in (one, template))
    return {each["name"]: each.get("value") for each in (*default, *own)}


def uid_of(one: Object) -> str:
    """The workflow's uid, which Argo draws anew for each; here one for each name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, one["metadata"]["name"]))


def argv(one: Object, *values: str, **given: str) -> list[str]:
    """The container's argv with every placeholder filled in."""
    (template,) = spec_of(one, *values)["templates"]
    arguments = {**parameters(one, *values), **given}
    filled = {f"inputs.parameters.{name}": value for name, value in arguments.items()} | {"workflow.uid": uid_of(one)}
    text = [*template["container"]["command"], *template["container"]["args"]]
    return [re.sub(r"\{\{(.+?)\}\}", lambda found: str(filled[found[1]]), part) for part in text]
