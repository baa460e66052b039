"""The commands `up` and `down`: Dagster's webserver and daemon in the background, on loopback, against our database.

Not here: how a program is kept and stopped (processes), or Dagster's own settings (dagster_home).
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli import processes
from embedding_assets.cli.dagster_home import DagsterHome, prepare_dagster_home
from embedding_assets.cli.examples import examples
from embedding_assets.cli.exporting import EXPORTER, exporter_program, listens, start_exporter
from embedding_assets.cli.processes import Program
from embedding_assets.cli.rendering import note, out, visible, warn
from embedding_assets.cli.session import current_settings, program
from embedding_assets.domain.failures import EmbeddingAssetsError

if TYPE_CHECKING:
    from embedding_assets.settings import Settings

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Two cold Python processes importing Dagster, each with a code server: 15 s here, several times that on a busy machine.
_START_SECONDS = 180.0


class NotStarted(EmbeddingAssetsError):
    """A program did not come up; the message names its log."""


@examples("embedding-assets up", "embedding-assets up --port 3001")
def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the web page.")] = 3000,
    host: Annotated[str, typer.Option(help="Address of the web page; it has no login.")] = "127.0.0.1",
) -> None:
    """Start Dagster in the background, web page and daemon, and the exporter of metrics.

    Ends when both work; a second `up` says where they are.
    """
    from embedding_assets.runtime import collections_file, database_urls  # noqa: PLC0415 - imports wait for their command

    settings = current_settings()
    collections_file(settings)  # a mistake in it is better told here than in Dagster's log
    home = prepare_dagster_home(settings, database_urls(settings).dagster)
    webserver, daemon = _webserver(settings, home, host, port), _daemon(settings, home)
    known = processes.running(webserver.pid_file)
    exporter = exporter_program(settings, home)
    if known is not None and all(processes.running(one.pid_file) for one in (daemon, exporter)):
        out().print(f"already up: {known.note}")
        return
    url = known.note if known else f"http://{_in_url(host)}:{port}"
    if known is None:
        _require_free(url)
        if host not in _LOOPBACK:
            warn(f"the web page has no login, and {visible(host)} is not loopback: whoever reaches it can start runs")
    note("starting Dagster's webserver and daemon…")
    since = datetime.now(timezone.utc)
    for one in (webserver, daemon):
        if processes.running(one.pid_file) is None:
            processes.start(one, home.environment, url)
    _wait(webserver, lambda: _answers(url))
    if start_exporter(settings, home, exporter):
        _wait(exporter, lambda: listens(settings))
    _wait(daemon, lambda: _daemon_beats(settings, since))
    out().print(f"up: {url}  (logs in {_short(home.logs)}; stop with embedding-assets down)")


@examples("embedding-assets down")
def down() -> None:
    """Stop what `up` started, and the embedded PostgreSQL."""
    from embedding_assets.local import stop_embedded  # noqa: PLC0415 - as above
    from embedding_assets.settings import EMBEDDED  # noqa: PLC0415 - as above

    settings = current_settings()
    stopped = processes.stop([processes.pid_file(settings.home, name) for name in ("webserver", "daemon", EXPORTER)])
    if settings.database_url.get_secret_value() == EMBEDDED and stop_embedded(settings.home):
        stopped.append("embedded PostgreSQL")
    out().print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


def running_url(settings: "Settings") -> str | None:
    """Where the web page of `up` is, while it runs."""
    known = processes.running(processes.pid_file(settings.home, "webserver"))
    return known.note if known else None


def started_before(settings: "Settings", file: Path) -> bool:
    """Whether `up` was run before this file was last written, so that Dagster has not read it."""
    return processes.pid_file(settings.home, "webserver").stat().st_mtime < file.stat().st_mtime


def _webserver(settings: "Settings", home: DagsterHome, host: str, port: int) -> Program:
    argv = [program("dagster-webserver"), "-w", str(home.workspace), "-h", host, "-p", str(port)]
    return _program(settings, home, "webserver", argv)


def _daemon(settings: "Settings", home: DagsterHome) -> Program:
    return _program(settings, home, "daemon", [program("dagster-daemon"), "run", "-w", str(home.workspace)])


def _program(settings: "Settings", home: DagsterHome, name: str, argv: list[str]) -> Program:
    return Program(name, argv, processes.pid_file(settings.home, name), home.logs / f"{name}.log")


def _wait(one: Program, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if processes.running(one.pid_file) is None:
            raise NotStarted(f"the {one.name} ended at once; its log is {_short(one.log)}")
        if time.monotonic() > deadline:
            raise NotStarted(f"the {one.name} is not ready after {_START_SECONDS:.0f} s; its log is {_short(one.log)}")
        time.sleep(0.3)


def _require_free(url: str) -> None:
    if _answers(url, any_status=True):
        raise NotStarted(f"something else answers at {url}: choose another port with --port")


def _answers(url: str, *, any_status: bool = False) -> bool:
    """Whether a webserver answers there; `any_status` counts whatever speaks at that port."""
    import http.client  # noqa: PLC0415 - as above
    from urllib.parse import urlsplit  # noqa: PLC0415 - as above

    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request("GET", "/server_info")
        return connection.getresponse().status == http.HTTPStatus.OK or any_status
    except ConnectionRefusedError:
        return False
    except (OSError, http.client.HTTPException):
        return any_status
    finally:
        connection.close()


def _daemon_beats(settings: "Settings", since: datetime) -> bool:
    from embedding_assets.runtime import database_urls  # noqa: PLC0415 - as above
    from embedding_assets.store.dagster_storage import daemon_heartbeats  # noqa: PLC0415 - as above

    beats = daemon_heartbeats(database_urls(settings).dagster) or {}
    # The scheduler's, because a heartbeat of any daemon of them would not say that the schedules are looked at.
    latest = beats.get("SCHEDULER")
    return latest is not None and latest > since - timedelta(seconds=1)


def _in_url(host: str) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - what a person typed
    return f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown


def _short(path: Path) -> str:
    """The path as seen from here, where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
