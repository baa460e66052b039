"""Dagster's webserver and daemon at work over a folder, the simulator and two databases, to launch runs in from outside.

Not here: the programs and their folder (dagster_process).
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from embedding_assets.cli.dagster_home import with_psycopg2
from embedding_assets_tests.simulator import Simulator
from embedding_assets_tests.support.benches import paragraph
from embedding_assets_tests.support.dagster_process import DagsterProcesses, instance_of_up, prepare

_START_SECONDS = 180.0
_PROGRAM = "from embedding_assets.cli.app import main; raise SystemExit(main())"


@dataclass(slots=True)
class DagsterServers:
    """`url` is the webserver's, which can be killed and started again at the same port; `daemon` the daemon's process."""

    processes: DagsterProcesses
    provider: Simulator
    url: str
    daemon: int
    _webserver: ExitStack = field(default_factory=ExitStack)

    def start_webserver(self) -> None:
        """Return once it answers."""
        port = self.url.rpartition(":")[2]
        argv = ["dagster_webserver", "-w", str(self.processes.workspace), "-h", "127.0.0.1", "-p", port]
        self._webserver.enter_context(self.processes.running("webserver", *argv))
        wait_for(self._answers, lambda: self.processes.log("webserver"))

    def kill_webserver(self) -> None:
        """At once, in the middle of whatever it does."""
        self._webserver.close()

    def kill_run(self) -> None:
        """End the process of the one run in progress, as a node that runs out of memory does."""
        os.kill(self.processes.run_process(self.daemon), signal.SIGKILL)

    def launching(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """`embedding-assets launch` with these arguments, begun; it knows the webserver and no database."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EMBEDDING_ASSETS_")}
        environment |= {"EMBEDDING_ASSETS_DAGSTER_WEBSERVER_URL": self.url, **variables}
        command = [sys.executable, "-c", _PROGRAM, "launch", *arguments]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/"
        )

    def launch(self, *arguments: str, **variables: str) -> "Launched":
        """The same, to its end."""
        return ended(self.launching(*arguments, **variables))

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/server_info", timeout=5) as response:
                return response.status == 200
        except (OSError, urllib.error.URLError):
            return False


@dataclass(frozen=True, slots=True)
class Launched:
    """What a launch left behind."""

    code: int
    out: str
    err: str


def ended(process: "subprocess.Popen[str]", seconds: float = 600) -> Launched:
    """Wait for the end of a launch."""
    out, err = process.communicate(timeout=seconds)
    return Launched(process.returncode, out, err)


def wait_for(condition: Callable[[], bool], log: Callable[[], str], seconds: float = _START_SECONDS) -> None:
    """Return once it is so; what `log` says explains why it is not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, log()[-3000:]
        time.sleep(0.2)


@contextmanager
def dagster_servers(
    database_url: str,
    dagster_url: str,
    folder: Path,
    *,
    documents: int,
    instance: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Generator[DagsterServers, None, None]:
    """Both programs, with collection `docs` paused, so that nothing runs but what is launched; ended afterwards."""
    texts = [(f"{number:02}.md", paragraph(number, 0)) for number in range(documents)]
    given = {"EMBEDDING_ASSETS_DAGSTER_URL": with_psycopg2(dagster_url), **(variables or {})}
    with Simulator() as provider, ExitStack() as stack:
        processes = prepare(
            database_url, folder, provider, texts, instance=instance or instance_of_up(), variables=given, paused=True
        )
        daemon = processes.running("daemon", "dagster._daemon", "run", "-w", str(processes.workspace))
        started = stack.enter_context(daemon)
        servers = DagsterServers(processes, provider, f"http://127.0.0.1:{_free_port()}", started.pid)
        stack.callback(servers.kill_webserver)
        servers.start_webserver()
        yield servers


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
