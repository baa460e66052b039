"""Dagster's own programs over a folder and the simulator, as an operator runs them: processes, a DAGSTER_HOME, an environment.

Not here: our code location inside this process (code_location).
"""

import os
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from embedding_assets_tests.simulator import Simulator

_COLLECTIONS = """\
[collections.docs]
source = {{ type = "directory", path = "{corpus}" }}
paused = {paused}
chunking = {{ size = 120, overlap = 0 }}
model = {{ name = "openai/simulated", dimensions = {dimensions}, max_inputs_per_request = 8 }}
"""
_INSTANCE = "telemetry: {enabled: false}\nnux: {enabled: false}\n"
_WORKSPACE = """\
load_from:
  - python_module: {module_name: embedding_assets.definitions, location_name: embedding_assets}
"""


@dataclass(frozen=True, slots=True)
class DagsterProcesses:
    """A DAGSTER_HOME with one collection `docs`; programs are started from `environment` and log to `home`/NAME.log."""

    home: Path
    corpus: Path
    environment: Mapping[str, str]

    @property
    def workspace(self) -> Path:
        """Names our code location."""
        return self.home / "workspace.yaml"

    @contextmanager
    def running(self, name: str, *argv: str) -> Generator["subprocess.Popen[bytes]", None, None]:
        """The program `python -m MODULE …`, killed at the end of the block if it is still there."""
        with (self.home / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", *argv],
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def ours(self, *argv: str) -> str:
        """Our own program to its end; what it printed."""
        command = [sys.executable, "-c", "from embedding_assets.cli.app import main; main()", *argv]
        done = subprocess.run(command, env=dict(self.environment), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run_process(self, daemon: int) -> int:
        """The id of the process of the one run in progress: the code server of this daemon started it by multiprocessing."""
        found = [child for child in _descendants(daemon) if b"--multiprocessing-fork" in _command_line(child)]
        assert len(found) == 1, f"not one run process but {len(found)}"
        return found[0]

    def log(self, name: str) -> str:
        """What the program of this name has written."""
        return (self.home / f"{name}.log").read_text(encoding="utf-8", errors="replace")


def instance_of_up() -> str:
    """The dagster.yaml that `embedding-assets up` writes."""
    return resources.files("embedding_assets.cli").joinpath("dagster.yaml").read_text(encoding="utf-8")


def prepare(
    database_url: str,
    folder: Path,
    provider: Simulator,
    documents: Sequence[tuple[str, str]],
    *,
    instance: str = _INSTANCE,
    variables: Mapping[str, str] | None = None,
    paused: bool = False,
) -> DagsterProcesses:
    """Everything written and applied; the source is not polled yet. `instance` is the text of dagster.yaml.

    For a paused collection Dagster starts nothing by itself.
    """
    corpus, home = folder / "corpus", folder / "dagster"
    corpus.mkdir()
    home.mkdir()
    for key, text in documents:
        (corpus / key).write_text(text, encoding="utf-8")
    (home / "dagster.yaml").write_text(instance, encoding="utf-8")
    (home / "workspace.yaml").write_text(_WORKSPACE, encoding="utf-8")
    collections = _COLLECTIONS.format(corpus=corpus, dimensions=provider.dimensions, paused=str(paused).lower())
    (folder / "collections.toml").write_text(collections, encoding="utf-8")
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "EMBEDDING_ASSETS_DATABASE_URL": database_url,
        "EMBEDDING_ASSETS_COLLECTIONS_FILE": str(folder / "collections.toml"),
        "EMBEDDING_ASSETS_API_BASE": provider.api_base,
        "EMBEDDING_ASSETS_API_KEY": "a-key",
        **(variables or {}),
    }
    processes = DagsterProcesses(home, corpus, environment)
    processes.ours("collections", "apply")
    return processes


def _descendants(process: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        children += [int(child) for child in task.read_text(encoding="ascii").split()]
    return children + [deeper for child in children for deeper in _descendants(child)]


def _command_line(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()
