"""The commands `failures list`, `show`, `retry` and `dismiss`: what a person does about documents that fail.

Not here: the steps (pipeline/reprocessing), how a failed document looks (failed_documents).
"""

from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.durations import parse_duration
from embedding_assets.cli.examples import examples
from embedding_assets.cli.failed_documents import document_facts, document_lines, document_table
from embedding_assets.cli.rendering import counted, note, out, print_json
from embedding_assets.cli.session import current_settings, run_async
from embedding_assets.domain.failures import EmbeddingAssetsError, ErrorType, FailureClass, FailureStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from embedding_assets.store.database import Database
    from embedding_assets.store.inspection import Attempt
    from embedding_assets.store.triage import FailedDocument, FailureFilter

    Act = Callable[[Database, Sequence[FailedDocument]], Awaitable[int]]

app = typer.Typer(
    help="Failed documents: list them, show one, try again, dismiss.\n\n\b\nExample:\n"
    "  embedding-assets failures list --status escalated\n"
    "  embedding-assets failures retry -c docs --type provider_timeout --yes",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Collection = Annotated[str | None, typer.Option("--collection", "-c", help="Only of this collection.")]
Class = Annotated[FailureClass | None, typer.Option("--class", help="Only failures of this class.")]
Type = Annotated[ErrorType | None, typer.Option("--type", metavar="ERROR_TYPE", help="Only this error type.")]
Status = Annotated[list[FailureStatus] | None, typer.Option("--status", help="Only these; may be repeated.")]
OlderThan = Annotated[
    float | None,
    typer.Option("--older-than", metavar="DURATION", parser=parse_duration, help="Last failed so long ago: 30m, 7d."),
]
Keys = Annotated[list[str] | None, typer.Option("--key", help="Exactly this document; may be repeated.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what is meant and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Yes, every document that the filter takes; not needed with --key.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class NotMeant(EmbeddingAssetsError):
    """A key is of no failed document, or a filter takes several and nobody said that all of them are meant."""


@app.command(name="list")
@examples("embedding-assets failures list", "embedding-assets failures list -c docs --status escalated --json")
def list_(
    *,
    collection: Collection = None,
    failure_class: Class = None,
    error_type: Type = None,
    status: Status = None,
    older_than: OlderThan = None,
    key: Keys = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List failed documents: those retrying, queued or escalated, unless --status says otherwise."""
    found, now = _find(_filter(collection, failure_class, error_type, status, older_than, key))
    if as_json:
        print_json({"total": len(found), "documents": [document_facts(one) for one in found[:limit]]})
        return
    out().print(document_table(found[:limit], now) if found else "no failed document is like that")
    if len(found) > limit:
        note(f"and {counted(len(found) - limit, 'more document')}: --limit {len(found)}")


@app.command()
@examples("embedding-assets failures show guides/start.md", "embedding-assets failures show a.md -c docs --json")
def show(
    key: Annotated[str, typer.Argument(help="The document's key.")],
    collection: Collection = None,
    as_json: AsJson = False,
) -> None:
    """Show one failed document, resolved or not, with every attempt it ever made."""
    found, now = _find(_filter(collection, None, None, list(FailureStatus), None, [key]))
    _check_known([key], found)
    told = [(one, run_async(lambda one=one: _attempts(one))) for one in found]
    if as_json:
        print_json([document_facts(one, attempts) for one, attempts in told])
        return
    for one, attempts in told:
        for line in document_lines(one, attempts, now):
            out().print(line)


@app.command()
@examples(
    "embedding-assets failures retry --key guides/start.md",
    "embedding-assets failures retry -c docs --type provider_timeout --older-than 1h --yes",
)
def retry(
    *,
    collection: Collection = None,
    failure_class: Class = None,
    error_type: Type = None,
    status: Status = None,
    older_than: OlderThan = None,
    key: Keys = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put failed documents back in the queue, with the whole ladder before them; their history is kept.

    Takes retrying and escalated ones, and those dismissed when --status or --key asks for them.
    """
    from embedding_assets.pipeline import reprocessing  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.store.triage import DISMISSIBLE, RETRYABLE  # noqa: PLC0415 - as above

    chosen = _filter(collection, failure_class, error_type, status, older_than, key)
    takes = RETRYABLE if status or key else DISMISSIBLE
    _carry_out(reprocessing.retry, "put back in the queue", chosen, takes, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command()
@examples(
    "embedding-assets failures dismiss --key scans/old.pdf",
    "embedding-assets failures dismiss -c docs --type too_large --dry-run",
)
def dismiss(
    *,
    collection: Collection = None,
    failure_class: Class = None,
    error_type: Type = None,
    status: Status = None,
    older_than: OlderThan = None,
    key: Keys = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Try failed documents no more until their content changes; what was promised for them counts as missed.

    Takes retrying and escalated ones; what is queued is tried first.
    """
    from embedding_assets.pipeline import reprocessing  # noqa: PLC0415 - as above
    from embedding_assets.store.triage import DISMISSIBLE  # noqa: PLC0415 - as above

    chosen = _filter(collection, failure_class, error_type, status, older_than, key)
    _carry_out(reprocessing.dismiss, "dismissed", chosen, DISMISSIBLE, dry_run=dry_run, yes=yes, as_json=as_json)


def _filter(
    collection: str | None,
    failure_class: FailureClass | None,
    error_type: ErrorType | None,
    status: list[FailureStatus] | None,
    older_than: float | None,
    key: list[str] | None,
) -> "FailureFilter":
    """Keys alone are found whatever their status is, so that it can be said why one is left as it is."""
    from embedding_assets.store.triage import UNRESOLVED, FailureFilter  # noqa: PLC0415 - as above

    statuses = status or (list(FailureStatus) if key else UNRESOLVED)
    return FailureFilter(statuses, collection, failure_class, error_type, older_than, key or None)


def _carry_out(
    act: "Act",
    done: str,
    chosen: "FailureFilter",
    takes: "Sequence[FailureStatus]",
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    found, now = _find(chosen)
    _check_known(chosen.document_keys or [], found)
    meant = [one for one in found if one.status in takes]
    if len(meant) > 1 and not (chosen.document_keys or yes or dry_run):
        raise NotMeant(
            f"{len(meant):,} documents would be {done}: add --yes if all of them are meant, "
            "--dry-run to see them, --key or another filter for fewer"
        )
    number = 0 if dry_run or not meant else run_async(lambda: _with_database(act, meant))
    if as_json:
        print_json({"dry_run": dry_run, "done": number, "documents": [document_facts(one) for one in meant]})
        return
    if dry_run and meant:
        out().print(document_table(meant, now))
    out().print(f"{counted(len(meant) if dry_run else number, 'document')} {'would be ' if dry_run else ''}{done}")
    for one in found:
        if chosen.document_keys and one not in meant:
            note(f"{one.collection}: {one.document_key!r} is {one.status} and left as it is")
    if number < len(meant) and not dry_run:
        note(f"{len(meant) - number} were in another's hands at this moment: look again with failures list")


def _check_known(keys: "Sequence[str]", found: "Sequence[FailedDocument]") -> None:
    unknown = [key for key in keys if key not in {one.document_key for one in found}]
    if unknown:
        named = ", ".join(map(repr, unknown))
        raise NotMeant(f"no failed document {named}: embedding-assets explain KEY says where a document is")


def _find(chosen: "FailureFilter") -> "tuple[list[FailedDocument], datetime]":
    """The documents, and the server's time."""

    async def find() -> "tuple[list[FailedDocument], datetime]":
        from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above
        from embedding_assets.store import source_listings, triage  # noqa: PLC0415 - as above

        async with open_database(current_settings()) as db, db.transaction() as tx:
            return await triage.find(tx, chosen), await source_listings.server_time(tx)

    return run_async(find)


async def _attempts(document: "FailedDocument") -> "list[Attempt]":
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above
    from embedding_assets.store import inspection  # noqa: PLC0415 - as above

    async with open_database(current_settings()) as db, db.transaction() as tx:
        return await inspection.attempts(tx, document.collection, document.document_key)


async def _with_database(act: "Act", documents: "Sequence[FailedDocument]") -> int:
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above

    async with open_database(current_settings()) as db:
        return await act(db, documents)
