"""What we ask Dagster of its jobs and runs: which there are, launch one, how it stands, what it says, end it.

Answers become values of ours (domain/launches). Not here: how a question travels (dagster_webserver).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from embedding_assets.domain.launches import LaunchedRun, LaunchOrder, LaunchRefused, run_tags
from embedding_assets.domain.redaction import redacted
from embedding_assets.providers import dagster_queries as queries
from embedding_assets.providers.dagster_webserver import DagsterAway, DagsterRefused, DagsterWebserver

_EVENTS_AT_ONCE = 500
_LONGEST_REASON = 1000
_LOGGED = ("INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class DagsterJob:
    """A job of a code location, with its partitions; none where it has none."""

    repository: str
    name: str
    partitions: Sequence[str]


@dataclass(frozen=True, slots=True)
class RunEvent:
    """Something a run said: `kind` is Dagster's event type or LOG, `what` its step or asset, `message` one line."""

    kind: str
    what: str
    message: str
    partition: str | None = None


class DagsterRuns:
    """Jobs and runs of one code location. Every method asks once and raises as `DagsterWebserver.ask` does."""

    def __init__(self, webserver: DagsterWebserver, location: str) -> None:
        self._webserver = webserver
        self._location = location

    def job(self, name: str) -> DagsterJob:
        """The job of this name.

        Raises:
            LaunchRefused: there is none, or the code location did not load.
        """
        entry = self._webserver.ask(queries.JOBS, {"location": self._location})["workspaceLocationEntryOrError"]
        repositories = self._repositories(cast("dict[str, Any] | None", entry))
        known = {job["name"]: str(one["name"]) for one in repositories for job in one["jobs"]}
        if name not in known:
            ours = sorted(job for job in known if not job.startswith("__")) or ["none"]
            raise LaunchRefused(f"no job {name!r} in code location {self._location!r}; there are: {', '.join(ours)}")
        selector = self._selector(known[name]) | {"pipelineName": name}
        found = self._webserver.ask(queries.PARTITIONS, {"params": selector})["pipelineOrError"]
        keys = (found.get("partitionKeysOrError") or {}).get("partitionKeys") or []
        return DagsterJob(known[name], name, [str(key) for key in keys])

    def launch(self, job: DagsterJob, order: LaunchOrder, partitions: tuple[str, str] | None) -> LaunchedRun:
        """A new run.

        Raises:
            LaunchRefused: Dagster would not have it.
        """
        parameters = {
            "selector": self._selector(job.repository) | {"jobName": job.name},
            "runConfigData": dict(order.run_config),
            "executionMetadata": {"tags": _pairs(run_tags(order, partitions))},
        }
        answer = self._webserver.ask(queries.LAUNCH, {"parameters": parameters})["launchRun"]
        match answer["__typename"]:
            case "LaunchRunSuccess":
                return _run(answer["run"])
            case "RunConfigValidationInvalid":
                mistakes = "; ".join(str(one["message"]) for one in answer["errors"])
                raise LaunchRefused(f"the run config does not fit job {job.name}: {_line(mistakes)}")
            case "PythonError":
                # The code server is being replaced, or Dagster's storage is away.
                raise DagsterAway(f"{self._webserver.shown} could not launch: {_line(str(answer['message']))}")
            case "UnauthorizedError":
                raise DagsterRefused(f"{self._webserver.shown} is read-only: name the webserver that may launch runs")
            case other:
                raise LaunchRefused(
                    f"Dagster would not launch {job.name}: {_line(str(answer.get('message') or other))}"
                )

    def with_tag(self, name: str, value: str) -> list[LaunchedRun]:
        """All runs with this tag, the newest first."""
        answer = self._webserver.ask(queries.RUNS, {"tags": _pairs({name: value})})["runsOrError"]
        if "results" not in answer:
            raise DagsterAway(f"{self._webserver.shown} could not list runs: {_line(str(answer.get('message')))}")
        return [_run(one) for one in answer["results"]]

    def find(self, run_id: str) -> LaunchedRun:
        """How a run stands.

        Raises:
            LaunchRefused: it was deleted.
        """
        answer = self._webserver.ask(queries.RUN, {"run": run_id})["runOrError"]
        match answer["__typename"]:
            case "Run":
                return _run(answer)
            case "RunNotFoundError":
                raise LaunchRefused(f"run {run_id} is no longer there: somebody deleted it")
            case _:
                raise DagsterAway(
                    f"{self._webserver.shown} could not show the run: {_line(str(answer.get('message')))}"
                )

    def events(self, run_id: str, cursor: str | None) -> tuple[list[RunEvent], str | None, bool]:
        """What a run said after `cursor`, the cursor to go on from, and whether there is more already."""
        variables = {"run": run_id, "cursor": cursor, "limit": _EVENTS_AT_ONCE}
        answer = self._webserver.ask(queries.EVENTS, variables)["logsForRun"]
        if "events" not in answer:
            raise DagsterAway(f"{self._webserver.shown} could not show the log: {_line(str(answer.get('message')))}")
        said = [_event(one) for one in answer["events"] if one.get("eventType") or one.get("level") in _LOGGED]
        return said, str(answer["cursor"]), bool(answer["hasMore"])

    def terminate(self, run_id: str, *, at_once: bool = False) -> None:
        """Ask for its end; whether it comes shows its status. `at_once` writes it off without asking the run."""
        policy = "MARK_AS_CANCELED_IMMEDIATELY" if at_once else "SAFE_TERMINATE"
        self._webserver.ask(queries.TERMINATE, {"run": run_id, "policy": policy})

    def _repositories(self, entry: dict[str, Any] | None) -> list[dict[str, Any]]:
        if entry is None:
            raise LaunchRefused(
                f"no code location {self._location!r} at {self._webserver.shown}: name it by --location"
            )
        if entry.get("loadStatus") == "LOADING":
            raise DagsterAway(f"code location {self._location!r} is being loaded")
        loaded = entry.get("locationOrLoadError") or entry
        if "repositories" not in loaded:
            # A code server that is being replaced looks the same as one that cannot load.
            raise DagsterAway(f"code location {self._location!r} did not load: {_line(str(loaded.get('message')))}")
        return cast("list[dict[str, Any]]", loaded["repositories"])

    def _selector(self, repository: str) -> dict[str, str]:
        return {"repositoryLocationName": self._location, "repositoryName": repository}


def _run(answer: Mapping[str, Any]) -> LaunchedRun:
    tags = {str(tag["key"]): str(tag["value"]) for tag in answer.get("tags") or []}
    return LaunchedRun(str(answer["runId"]), str(answer["status"]), tags)


def _event(answer: Mapping[str, Any]) -> RunEvent:
    path = (answer.get("assetKey") or {}).get("path")
    what = "/".join(path) if path else str(answer.get("stepKey") or "")
    return RunEvent(str(answer.get("eventType") or "LOG"), what, _line(_reason(answer)), answer.get("partition"))


def _reason(answer: Mapping[str, Any]) -> str:
    """Our own sentence where the run failed with one; else the innermost error, else what Dagster says."""
    described = (answer.get("failureMetadata") or {}).get("description")
    error = answer.get("error") or {}
    causes = [str(cause["message"]) for cause in error.get("causes") or []]
    return str(described or next(reversed(causes), "") or error.get("message") or answer.get("message") or "")


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _line(text: str) -> str:
    line = redacted(" ".join(text.split()))
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"
