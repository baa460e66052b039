"""`metrics`: the exporter for Prometheus, and what it would show now. Not here: what is shown (exporter)."""

import logging
import sys
from typing import Annotated

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import note, out
from embedding_assets.cli.session import current_settings, run_async

app = typer.Typer(no_args_is_help=True, help="The metrics of this database: served to Prometheus, or shown once.")


@app.command("serve")
@examples("embedding-assets metrics serve", "embedding-assets metrics serve --host 0.0.0.0 --port 9808")
def serve_metrics(
    host: Annotated[str | None, typer.Option(help="Address; unset: the settings', which is loopback.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; unset: the settings'.")] = None,
) -> None:
    """Serve /metrics, /healthz and /readyz until told to stop. One for each database is enough, whatever the workers."""
    from embedding_assets.exporter.running import run_exporter  # noqa: PLC0415 - heavy imports wait for their command

    settings = current_settings()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    where, at = host or settings.metrics_host, port or settings.metrics_port
    note(f"metrics at http://{where}:{at}/metrics; stop with Ctrl-C or SIGTERM")
    run_async(lambda: run_exporter(settings, where, at))


@app.command("show")
@examples("embedding-assets metrics show", "embedding-assets metrics show --name queue")
def show_metrics(
    name: Annotated[str | None, typer.Option(help="Only metrics whose name contains this.")] = None,
) -> None:
    """Print what a scrape would see now, in Prometheus's text format."""
    from embedding_assets.exporter.running import one_snapshot  # noqa: PLC0415 - as above
    from embedding_assets.telemetry.exposition import as_text  # noqa: PLC0415 - as above

    settings = current_settings()
    text = as_text(run_async(lambda: one_snapshot(settings)))
    for line in text.splitlines():
        metric = line.split(" ")[2] if line.startswith("#") else line
        if name is None or name in metric.partition("{")[0]:
            out().print(line, markup=False, highlight=False, soft_wrap=True)
