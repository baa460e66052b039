"""Real Prometheus and Alertmanager on loopback with our rules, the exporter they scrape, and who is told.

Everything started here ends with its `with` block, whatever happens in it. Not here: what is played to them (scenarios).
"""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboards_source import rules, servers
from dashboards_source.writing import as_yaml

PROGRAMS = ("prometheus", "promtool", "prometheus-alertmanager")
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0


def missing_programs() -> list[str]:
    """What of Debian's packages is not installed."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running one, asked over its API."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an instant query answers: metric and value of each series."""
        asked = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{asked}", timeout=10) as response:
            return json.loads(response.read())["data"]["result"]

    def value(self, expression: str) -> float | None:
        """The value of the first series; None where there is none."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else None

    def firing(self) -> set[str]:
        """The alerts that fire, hidden ones included."""
        return {one["metric"]["alertname"] for one in self.query('ALERTS{alertstate="firing"}')}


@contextmanager
def prometheus(folder: Path, *, exporter: int, alertmanager: int, faster: float) -> Generator[Prometheus, None, None]:
    """Scrapes the exporter by rules that are so many times faster."""
    home, port = folder / "prometheus", free_port()
    (home / "rules").mkdir(parents=True)
    for name, groups in rules.rule_files(faster=faster).items():
        (home / "rules" / f"{name}.yaml").write_text(as_yaml({"groups": groups}), encoding="utf-8")
    configuration = servers.prometheus(
        ["rules/*.yaml"], exporter=f"127.0.0.1:{exporter}", alertmanager=f"127.0.0.1:{alertmanager}", faster=faster
    )
    (home / "prometheus.yml").write_text(as_yaml(configuration), encoding="utf-8")
    command = [
        "prometheus",
        f"--config.file={home / 'prometheus.yml'}",
        f"--storage.tsdb.path={home / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        # A lost notification is sent again soon: the default is a minute.
        "--rules.alert.resend-delay=5s",
    ]
    with running("prometheus", command, folder):
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/-/ready")
        yield Prometheus(url)


@contextmanager
def alertmanager(folder: Path, *, webhook: str, faster: float) -> Generator[int, None, None]:
    """Tells the webhook; its port."""
    home, port = folder / "alertmanager", free_port()
    home.mkdir()
    configuration = as_yaml(servers.alertmanager(webhook=webhook, faster=faster))
    (home / "alertmanager.yml").write_text(configuration, encoding="utf-8")
    command = [
        "prometheus-alertmanager",
        f"--config.file={home / 'alertmanager.yml'}",
        f"--storage.path={home / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        # Alone: it would look for an address to gossip on, and fail where there is none.
        "--cluster.listen-address=",
    ]
    with running("alertmanager", command, folder):
        wait_for(f"http://127.0.0.1:{port}/-/ready")
        yield port


@contextmanager
def exporter(folder: Path, environment: Mapping[str, str]) -> Generator[int, None, None]:
    """`embedding-assets metrics serve`; its port."""
    port = free_port()
    program = "from embedding_assets.cli.app import main; raise SystemExit(main())"
    command = [sys.executable, "-c", program, "metrics", "serve", "--port", str(port)]
    with running("exporter", command, folder, environment):
        wait_for(f"http://127.0.0.1:{port}/metrics")
        yield port


@contextmanager
def running(
    name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Generator["subprocess.Popen[bytes]", None, None]:
    """A program that logs to FOLDER/NAME.log, asked to end at the end of the block, and killed when it does not."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(url: str) -> None:
    """Return once it answers."""

    def answers() -> bool:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    wait_until(answers, _START_SECONDS, f"nothing answers at {url}")


def wait_until(happened: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Return once it happened.

    Raises:
        TimeoutError: it did not; the message is `otherwise`.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{otherwise} after {seconds:.0f} s")
        time.sleep(0.2)
