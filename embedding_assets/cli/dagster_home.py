"""DAGSTER_HOME in the home folder, and the environment of the Dagster programs we start. Imports no Dagster.

Not here: starting and stopping them (serving, processes).
"""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from embedding_assets.cli.session import child_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedding_assets.settings import Settings

_WORKSPACE = """\
load_from:
  - python_module:
      module_name: embedding_assets.definitions
      location_name: embedding_assets
"""


@dataclass(frozen=True, slots=True)
class DagsterHome:
    """A prepared DAGSTER_HOME; `environment` is what its programs need."""

    folder: Path
    logs: Path
    environment: "Mapping[str, str]"

    @property
    def workspace(self) -> Path:
        """Names our code location to Dagster."""
        return self.folder / "workspace.yaml"


def prepare_dagster_home(settings: "Settings", dagster_url: str) -> DagsterHome:
    """Write HOME/dagster anew and make HOME/logs; `dagster_url` is where Dagster's own storage is."""
    home = settings.home.resolve()
    folder, logs = home / "dagster", home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    logs.mkdir(exist_ok=True)
    template = resources.files("embedding_assets.cli").joinpath("dagster.yaml").read_text(encoding="utf-8")
    (folder / "dagster.yaml").write_text(template, encoding="utf-8")
    prepared = DagsterHome(folder, logs, _environment(settings, folder, dagster_url))
    prepared.workspace.write_text(_WORKSPACE, encoding="utf-8")
    return prepared


def _environment(settings: "Settings", folder: Path, dagster_url: str) -> "Mapping[str, str]":
    return child_environment(
        settings,
        DAGSTER_HOME=str(folder),
        EMBEDDING_ASSETS_DAGSTER_URL=with_psycopg2(dagster_url),
        DAGSTER_DISABLE_TELEMETRY="1",
        # Fewer writes for each event of a run, and one row for its partitions instead of one for each.
        DAGSTER_EVENT_BATCH_SIZE="100",
        DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS="1",
    )


def with_psycopg2(url: str) -> str:
    """The URL with the driver dagster-postgres is written for."""
    _, separator, rest = url.partition("://")
    return f"postgresql+psycopg2{separator}{rest}"
