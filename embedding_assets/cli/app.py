"""The program: which commands there are, and how an error ends it. No command's own work is here.

Exit codes: 0 done, 1 failed (one sentence on stderr), 2 wrong usage, 3 deletions were withheld, 4 to 6 of `launch` alone,
130 interrupted.
"""

import logging
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version

import typer

from embedding_assets.cli import (
    capacity,
    chunk,
    collection_adding,
    collection_removing,
    collections,
    demo,
    doctor,
    failures,
    inspecting,
    launching,
    metrics,
    models,
    objectives,
    processing,
    reembedding,
    roles,
    searching,
    serving,
    table_tracking,
    upkeep,
)
from embedding_assets.cli.rendering import err, visible_lines
from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.domain.redaction import redacted

INTERRUPTED = 130

app = typer.Typer(
    name="embedding-assets",
    help="Keeps a pgvector index fresh from a source of documents.\n\n"
    "\b\nExample:\n  embedding-assets demo                     # everything at once, on this machine\n"
    "  embedding-assets search 'compress a file'",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    demo.demo,
    serving.up,
    serving.down,
    searching.search,
    inspecting.status,
    inspecting.explain,
    doctor.doctor,
    objectives.slo,
    processing.sync,
    processing.run,
    reembedding.reembed,
    upkeep.maintain,
    capacity.capacity,
    launching.launch,
    processing.migrate,
    chunk.chunk,
):
    app.command()(command)
for of_collections in (
    collection_adding.add,
    collection_removing.pause,
    collection_removing.resume,
    collection_removing.remove,
    table_tracking.track,
    table_tracking.untrack,
):
    collections.app.command()(of_collections)
app.add_typer(collections.app, name="collections")
app.add_typer(failures.app, name="failures")
app.add_typer(models.app, name="models")
app.add_typer(metrics.app, name="metrics")
app.add_typer(roles.app, name="roles")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"embedding-assets {version('embedding-assets')}")
        raise typer.Exit


@app.callback()
def options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    show_version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
    ),
) -> None:
    """Declares the options before the command; `main` reads --debug itself, because it outlives Typer's context."""
    del debug, show_version


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code; usage errors, --help and a finished command raise SystemExit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # A pool that is cancelled with its run says so for every connection; what matters comes as an error.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    # A stop by a supervisor ends as Ctrl-C does: asyncio cancels the run, which gives its claims back. The handler is set
    # because a shell's background job starts with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        app(args=given, prog_name="embedding-assets")
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if "--debug" in given:
            raise
        _say(error)
        return 1
    return 0


def _say(error: Exception) -> None:
    """One sentence, or a line for each mistake; what we did not foresee is named with its type and the way to see more."""
    text = str(error)
    if not isinstance(error, EmbeddingAssetsError | ValueError):
        first = text.strip().partition("\n")[0]
        text = f"unexpected {type(error).__name__}: {first} (embedding-assets --debug … shows where)"
    err().print(f"error: {visible_lines(redacted(text), indent=len('error: '))}", style="bold red")
