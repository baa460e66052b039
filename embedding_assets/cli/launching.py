"""The command `launch`: a run in Dagster from outside, as Argo and other schedulers start it. Imports no Dagster.

Exit codes beside the program's: 2 refused, 4 unreachable, 5 timed out, 6 canceled. Not here: the steps (pipeline/launching).
"""

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import err, note, out, visible

if TYPE_CHECKING:
    from embedding_assets.domain.launches import LaunchedRun, LaunchOrder
    from embedding_assets.pipeline.launching import Patience
    from embedding_assets.providers.dagster_runs import DagsterRuns, RunEvent

FAILED, REFUSED, UNREACHABLE, TIMED_OUT, CANCELED = 1, 2, 4, 5, 6
_INTERRUPTED = 130
# Kubernetes kills 30 s after it asked; a run is asked to end again and again within that.
_ENDING_SECONDS = 25.0


_Job = Annotated[str, typer.Argument(help="The job: docs__embed_documents, or embed_documents with -c docs.")]
_Collection = Annotated[str | None, typer.Option("-c", "--collection", help="The collection whose job it is.")]
_Partitions = Annotated[
    str | None, typer.Option(help="Partitions, such as 00-15 or 03; all of a partitioned job without.")
]
_Config = Annotated[str | None, typer.Option(help="Run config: JSON, or a file of it.")]
_Tags = Annotated[list[str] | None, typer.Option("--tag", help="A tag of the run, NAME=VALUE; may be repeated.")]
_Key = Annotated[
    str | None, typer.Option(help="Launches with the same key are one run: the second waits for the first's.")
]
_Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until the run is over.")]
_Timeout = Annotated[float | None, typer.Option(min=1, help="Seconds for everything; no limit without.")]
_Detach = Annotated[bool, typer.Option("--detach", help="When told to stop, leave the run going.")]
_Url = Annotated[
    str | None, typer.Option(help="Dagster's webserver, instead of EMBEDDING_ASSETS_DAGSTER_WEBSERVER_URL.")
]


@examples(
    "embedding-assets launch docs__embed_documents --partitions 00-15",
    "embedding-assets launch sync_sources -c docs --key nightly-2030-01-01 --timeout 3600",
)
def launch(
    *,
    job: _Job,
    collection: _Collection = None,
    partitions: _Partitions = None,
    config: _Config = None,
    tags: _Tags = None,
    key: _Key = None,
    wait: _Wait = True,
    timeout: _Timeout = None,
    detach: _Detach = False,
    url: _Url = None,
) -> None:
    """Start a job in Dagster and stay with it to its end.

    Needs the webserver alone, no database. Told to stop (SIGTERM, Ctrl-C), it ends its run.

    \b
    Exit codes:
      0  the run succeeded; with --no-wait: it was launched
      1  it failed, with its reason
      2  refused, nothing was started: unknown job or partition, wrong config
      4  the webserver could not be reached
      5  timed out; the run goes on, and the same --key finds it
      6  the run was canceled
      130  told to stop
    """  # noqa: D301 - \b is Typer's
    from embedding_assets.domain.launches import LaunchOrder  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.pipeline.launching import Patience  # noqa: PLC0415 - as above
    from embedding_assets.providers.dagster_runs import DagsterRuns  # noqa: PLC0415 - as above
    from embedding_assets.providers.dagster_webserver import DagsterWebserver  # noqa: PLC0415 - as above
    from embedding_assets.settings import load_launch_settings  # noqa: PLC0415 - as above

    settings = load_launch_settings()
    name = f"{collection}__{job}" if collection else job
    unique = key or f"once-{secrets.token_hex(8)}"
    order = LaunchOrder(name, unique, _partitions(partitions), _run_config(config), _tags(tags or []))
    patience = Patience(timeout, settings.dagster_patience_seconds, _say)
    with DagsterWebserver(url or settings.dagster_webserver_url) as webserver:
        runs = DagsterRuns(webserver, settings.dagster_location)
        raise typer.Exit(_run(runs, order, patience, wait=wait, detach=detach))


def _run(runs: "DagsterRuns", order: "LaunchOrder", patience: "Patience", *, wait: bool, detach: bool) -> int:
    """The exit code."""
    from embedding_assets.domain.launches import LaunchRefused  # noqa: PLC0415 - as above
    from embedding_assets.pipeline import launching  # noqa: PLC0415 - as above
    from embedding_assets.providers.dagster_webserver import DagsterRefused  # noqa: PLC0415 - as above

    watch = _Watch()
    try:
        if not wait:
            out().print(launching.launch(runs, order, patience).run_id)
            return 0
        return _verdict(launching.launch_and_wait(runs, order, patience, watch.hear), watch)
    except LaunchRefused as error:
        return _error(str(error), REFUSED)
    except (DagsterRefused, launching.DagsterUnreachable) as error:
        return _error(f"{error}; a run of --key {order.key} may be in progress", UNREACHABLE)
    except launching.LaunchTimedOut as error:
        return _error(f"{error}; a run of --key {order.key} goes on, if there is one", TIMED_OUT)
    except KeyboardInterrupt:
        return _stopped(runs, order.key, detach=detach)


class _Watch:
    """Tells what a run does, and remembers why it failed."""

    def __init__(self) -> None:
        self.reason = ""

    def hear(self, event: "RunEvent") -> None:
        where = event.what + (f" {event.partition}" if event.partition else "")
        match event.kind:
            case "RUN_START" | "PIPELINE_START":
                self.reason = ""
            case "STEP_START":
                _say(f"step {where} started")
            case "STEP_SUCCESS":
                _say(f"step {where} is done")
            case "ASSET_MATERIALIZATION":
                _say(f"{where} materialized")
            case "ASSET_OBSERVATION":
                _say(f"{where} observed")
            case "LOG":
                _say(event.message)
            case "STEP_FAILURE":
                self.reason = event.message
                _say(f"step {where} failed: {event.message}")
            case "RUN_FAILURE" | "PIPELINE_FAILURE":
                # A step's own reason says more than that a step failed.
                self.reason = self.reason or event.message
            case _:
                pass


def _verdict(run: "LaunchedRun", watch: _Watch) -> int:
    if run.succeeded:
        out().print(f"run {run.run_id} succeeded")
        return 0
    if run.canceled:
        return _error(f"run {run.run_id} was canceled", CANCELED)
    return _error(f"run {run.run_id} failed: {watch.reason or 'it left no reason; its page has the log'}", FAILED)


def _stopped(runs: "DagsterRuns", key: str, *, detach: bool) -> int:
    from embedding_assets.domain.failures import EmbeddingAssetsError  # noqa: PLC0415 - as above
    from embedding_assets.pipeline.launching import Patience, end_runs  # noqa: PLC0415 - as above

    if detach:
        _say(f"told to stop; what was launched with --key {key} goes on")
        return _INTERRUPTED
    _say("told to stop: ending the run")
    try:
        end_runs(runs, key, Patience(_ENDING_SECONDS, _ENDING_SECONDS, _say))
        _say("the run is over")
    except (EmbeddingAssetsError, KeyboardInterrupt) as error:
        _error(f"what was launched with --key {key} may go on: {error or 'told to stop again'}", _INTERRUPTED)
    return _INTERRUPTED


def _say(text: str) -> None:
    note(visible(text))


def _error(text: str, code: int) -> int:
    err().print(f"error: {visible(text)}", style="bold red")
    return code


def _partitions(given: str | None) -> tuple[str, str] | None:
    # Empty as well: a template of Argo cannot leave an option out.
    if not given:
        return None
    first, _, last = given.partition("-")
    if not first or given.endswith("-"):
        raise typer.BadParameter("a partition or a range, such as 03 or 00-15", param_hint="--partitions")
    return first, last or first


def _run_config(given: str | None) -> dict[str, Any]:
    if not given:
        return {}
    try:
        text = given if given.lstrip().startswith("{") else Path(given).read_text(encoding="utf-8")
        value = json.loads(text)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"neither JSON nor a file of it: {error}", param_hint="--config") from None
    if not isinstance(value, dict):
        raise typer.BadParameter("a JSON object", param_hint="--config")
    return value


def _tags(given: list[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    if wrong := [name for name, equals, _ in pairs if not (name and equals)]:
        raise typer.BadParameter(f"{wrong[0]!r} is not NAME=VALUE", param_hint="--tag")
    return {name: value for name, _, value in pairs}
