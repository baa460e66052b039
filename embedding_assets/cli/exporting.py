"""The exporter as `up` keeps it beside Dagster: started, and missed when it is gone. Not here: what it is (exporter)."""

from typing import TYPE_CHECKING

from embedding_assets.cli import processes
from embedding_assets.cli.dagster_home import DagsterHome
from embedding_assets.cli.processes import Program
from embedding_assets.cli.rendering import note, warn
from embedding_assets.cli.session import program

if TYPE_CHECKING:
    from embedding_assets.settings import Settings

EXPORTER = "exporter"


def exporter_program(settings: "Settings", home: DagsterHome) -> Program:
    """`metrics serve`, where the settings say."""
    host, port = settings.metrics_host, str(settings.metrics_port)
    argv = [program("embedding-assets"), "metrics", "serve", "--host", host, "--port", port]
    return Program(EXPORTER, argv, processes.pid_file(settings.home, EXPORTER), home.logs / f"{EXPORTER}.log")


def start_exporter(settings: "Settings", home: DagsterHome, exporter: Program) -> bool:
    """Start it unless it runs; whether it was. Documents are processed without it too: a port that is taken stops nothing else."""
    if processes.running(exporter.pid_file) is not None:
        return False
    if listens(settings):
        at = f"{settings.metrics_host} port {settings.metrics_port}"
        warn(f"metrics are not served: something else listens on {at}; EMBEDDING_ASSETS_METRICS_PORT names another")
        return False
    processes.start(exporter, home.environment, "")
    note(f"metrics: http://{settings.metrics_host}:{settings.metrics_port}/metrics")
    return True


def missed(settings: "Settings") -> str | None:
    """What to say where Dagster runs by `up` and the exporter does not; None where all is well, or nothing runs."""
    running = {name: processes.running(processes.pid_file(settings.home, name)) for name in ("webserver", EXPORTER)}
    if running["webserver"] is None or running[EXPORTER] is not None:
        return None
    return f"the exporter is not running, and nobody sees metrics: see {settings.home}/logs/{EXPORTER}.log; embedding-assets up"


def listens(settings: "Settings") -> bool:
    """Whether anything listens where the exporter is to."""
    import socket  # noqa: PLC0415 - not every command needs it

    try:
        # Not by taking the port for a moment, which would be taken from the exporter that starts just now.
        socket.create_connection((settings.metrics_host, settings.metrics_port), timeout=2).close()
    except OSError:
        return False
    return True
