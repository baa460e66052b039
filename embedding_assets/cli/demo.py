"""The command `demo`: what a new user sees first. Database, schema, collection, source, one Dagster run, three questions.

Each step says what it did in one line. A second demo finds nothing to do and says so, without starting Dagster or a model.
"""

import re
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli import demo_run
from embedding_assets.cli.dagster_home import DagsterHome, prepare_dagster_home
from embedding_assets.cli.demo_file import STDLIB, add_corpus, file_of
from embedding_assets.cli.demo_queue import poll, queued_documents, queued_for_us
from embedding_assets.cli.demo_run import RunSummary
from embedding_assets.cli.examples import examples
from embedding_assets.cli.processing import sync_line
from embedding_assets.cli.progress import Progress, progress
from embedding_assets.cli.rendering import counted, err, one_line, out, table, visible, warn
from embedding_assets.cli.searching import find, print_result
from embedding_assets.cli.serving import running_url, started_before
from embedding_assets.cli.session import DEMO_FILE, command, current_settings, run_async
from embedding_assets.cli.standing import gather
from embedding_assets.domain.failures import EmbeddingAssetsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedding_assets.settings import Settings

_QUESTIONS = ("parse command line arguments", "compress a file", "schedule a coroutine to run later")


class DemoInTheWay(EmbeddingAssetsError):
    """The demo would change a collection that is not its own."""


@examples("embedding-assets demo", "embedding-assets demo --corpus ~/notes")
def demo(
    corpus: Annotated[
        Path | None,
        typer.Option(help="A folder of text files; without it: Python's documentation.", exists=True, file_okay=False),
    ] = None,
) -> None:
    """Read a corpus, embed it in Dagster, search it.

    A second demo finds that nothing changed. Another corpus gets a collection of its own.
    """
    started = time.monotonic()
    settings = current_settings()
    settings = settings.model_copy(update={"collections_file": settings.home / DEMO_FILE})
    dagster_url = _database(settings)
    name = _collection(settings, corpus)
    found = run_async(lambda: poll(settings, name))
    _step("Source", sync_line(found))
    if found.withheld:
        warn(
            f"{counted(found.withheld, 'deletion')} withheld: so many at once look like a broken mount. "
            f"If they are meant: {command(f'sync {name} --confirm-deletions')}"
        )
    queued = run_async(lambda: queued_for_us(settings, name, _say_waiting))
    if queued:
        summary = _run(settings, name, queued, dagster_url)
        _print_summary(summary)
        if summary.documents:
            _ask(settings, name)
    else:
        _print_idle(found.difference.listed, corpus)
    _say_failures(settings, name)
    _print_next(settings, name, time.monotonic() - started)


def _database(settings: "Settings") -> str:
    """Start and migrate; the URL of Dagster's storage."""
    from embedding_assets.runtime import database_urls  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.settings import EMBEDDED  # noqa: PLC0415 - as above
    from embedding_assets.store import migrations  # noqa: PLC0415 - as above

    started = time.monotonic()
    urls = database_urls(settings)
    applied = migrations.upgrade(urls.database)
    embedded = settings.database_url.get_secret_value() == EMBEDDED
    where = f"embedded PostgreSQL in {settings.home / 'postgres'}" if embedded else "the PostgreSQL of your settings"
    schema = f"schema made ({', '.join(applied)})" if applied else "schema up to date"
    _step("Database", f"{where}, {schema}", time.monotonic() - started)
    return urls.dagster


def _collection(settings: "Settings", corpus: Path | None) -> str:
    from embedding_assets.runtime import apply_collections  # noqa: PLC0415 - as above

    name = add_corpus(settings.collections_file, corpus)
    file = file_of(settings.collections_file)
    run_async(lambda: _require_own(settings, name, dict(file.collections[name].source)))
    run_async(lambda: apply_collections(settings, file))
    what = visible(str(corpus)) if corpus else "Python's documentation as installed"
    entry = file.collections[name]
    model = f"{entry.model.name} ({entry.model.dimensions} dimensions)"
    _step("Collection", f"{name}: {what}, in chunks of {entry.chunking.size} characters, model {model}")
    return name


async def _require_own(settings: "Settings", name: str, source: dict[str, object]) -> None:
    """Another source under the demo's name would make the demo replace what somebody else put there."""
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above
    from embedding_assets.store import collections  # noqa: PLC0415 - as above

    async with open_database(settings) as db, db.transaction() as tx:
        applied = await collections.find(tx, name)
    if applied is not None and dict(applied.source) != source:
        raise DemoInTheWay(
            f"this database has a collection {name!r} with another source, which the demo will not touch: "
            "set EMBEDDING_ASSETS_HOME to a new folder, or use --corpus"
        )


def _run(settings: "Settings", name: str, queued: int, dagster_url: str) -> RunSummary:
    from embedding_assets.store.dagster_storage import recorded_numbers  # noqa: PLC0415 - as above

    home = prepare_dagster_home(settings, dagster_url)
    token = secrets.token_hex(8)
    _step("Run", f"Dagster job {demo_run.job_of(name)}, partitions 00 to 15, {counted(queued, 'document')} to look at")
    with progress("documents") as shown:
        run_async(lambda: _execute(settings, home, name, token, shown))
    return demo_run.summarise(recorded_numbers(dagster_url, tag=demo_run.RUN_TAG, value=token))


async def _execute(settings: "Settings", home: DagsterHome, name: str, token: str, shown: Progress) -> None:
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above

    async with open_database(settings) as db:
        await demo_run.execute(home, name, token, lambda: queued_documents(db, name), shown)


def _say_waiting(seconds: float) -> None:
    _step("Waiting", f"another run has these documents; one that was killed keeps them {seconds:.0f} s more")


def _print_summary(summary: RunSummary) -> None:
    headings = ("documents", "chunks", "embedded", "reused", "failed", "seconds", "documents/s")
    counts = (summary.documents, summary.chunks, summary.embedded, summary.reused, summary.failed)
    row = (*(f"{count:,}" for count in counts), f"{summary.seconds:.1f}", f"{summary.documents_per_second:,.0f}")
    out().print()
    out().print(table(dict.fromkeys(headings, "right"), [row]))
    if summary.unchanged or summary.deleted:
        out().print(f"and {summary.unchanged:,} unchanged, which cost no request; {summary.deleted:,} deleted")


def _print_idle(listed: int, corpus: Path | None) -> None:
    if listed or corpus is None:
        documents = counted(listed, "document")
        out().print(
            f"\nNothing to do: what the source lists ({documents}) was worked before, and nothing changed since."
        )
        return
    from embedding_assets.providers.sources.text_extraction import DOCUMENT_EXTENSIONS  # noqa: PLC0415 - as above

    kinds = ", ".join(sorted(DOCUMENT_EXTENSIONS))
    out().print(f"\nThere is no document in {visible(str(corpus))}: these kinds of files are read: {kinds}")


def _say_failures(settings: "Settings", name: str) -> None:
    for one in run_async(lambda: gather(settings)):
        if one.freshness.collection == name and one.failures:
            kinds = ", ".join(f"{count.documents:,} {count.error_type} ({count.status})" for count in one.failed)
            warn(f"\nFailed documents: {kinds}; the others went through. More: {command('status')}")


def _ask(settings: "Settings", name: str) -> None:
    questions = _QUESTIONS if name == STDLIB else run_async(lambda: _sampled(settings, name))
    answers = run_async(lambda: find(settings, name, questions, 2, {}))
    for question, results in zip(questions, answers, strict=True):
        out().print(f"\n? {one_line(question, 100)}", style="bold")
        for place, result in enumerate(results, 1):
            print_result(out(), place, result)


async def _sampled(settings: "Settings", name: str) -> "Sequence[str]":
    """Questions to a folder nobody knows: titles or first sentences of its own documents."""
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above
    from embedding_assets.store import inspection  # noqa: PLC0415 - as above

    async with open_database(settings) as db, db.transaction() as tx:
        sampled = await inspection.sample_documents(tx, name, documents=3)
    return [_question(title, beginning) for title, beginning in sampled]


def _question(title: str, beginning: str) -> str:
    """A title of several words, else the first sentence."""
    if len(title.split()) > 1:
        return title
    sentence = re.split(r"(?<=[.!?])\s|\n\s*\n", beginning.strip(), maxsplit=1)[0]
    return " ".join(sentence.split())[:200]


def _print_next(settings: "Settings", name: str, seconds: float) -> None:
    several = len(file_of(settings.collections_file).collections) > 1
    option = f" -c {name}" if several else ""
    url = running_url(settings)
    lines = {
        command(f"search 'your question'{option}"): "search on",
        url or command("up"): "the Dagster UI, which is up" if url else "the Dagster UI on http://127.0.0.1:3000",
        command("status"): "how it stands",
    }
    width = max(map(len, lines))
    out().print(f"\nDone in {seconds:.1f} s. Next:")
    for line, says in lines.items():
        out().print(f"  {line:<{width}}  {says}")
    if url and started_before(settings, settings.collections_file):
        warn(f"The running UI does not know {name} yet: {command('down')}, then {command('up')}")


def _step(name: str, says: str, seconds: float | None = None) -> None:
    took = f" ({seconds:.1f} s)" if seconds is not None else ""
    err().print(f"{name:<11}{says}{took}")
