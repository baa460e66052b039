"""Failed documents in the terminal: a table of many, the lines about one, and the same for a program."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from embedding_assets.cli.rendering import counted, table, visible
from embedding_assets.domain.explanation import duration

if TYPE_CHECKING:
    from rich.table import Table

    from embedding_assets.store.inspection import Attempt
    from embedding_assets.store.triage import FailedDocument


def document_table(documents: "Sequence[FailedDocument]", now: datetime) -> "Table":
    """A row for each; `now` is the server's clock."""
    columns = {"collection": "left", "document": "left", "status": "left", "error type": "left"}
    columns |= {"attempts": "right", "last failed": "left", "next try": "left"}
    rows = [
        (
            one.collection,
            visible(one.document_key),
            one.status,
            one.error_type,
            one.attempts,
            f"{duration((now - one.last_failed_at).total_seconds())} ago",
            _next_try(one, now),
        )
        for one in documents
    ]
    return table(columns, rows)


def document_lines(document: "FailedDocument", attempts: "Sequence[Attempt]", now: datetime) -> list[str]:
    """Everything about one, a line each."""
    upcoming = _next_try(document, now)
    status = f"{document.status}{f', next try {upcoming}' if upcoming else ''}"
    lines = [
        f"{document.collection}: {visible(document.document_key)}",
        f"  status:  {status}",
        f"  why:     {document.error_type} ({document.failure_class}): {visible(document.reason)}",
        f"  episode: {document.episode}, with {counted(document.attempts, 'attempt')}, lane {document.lane}",
        f"  failed:  first {_time(document.first_failed_at)}, last {_time(document.last_failed_at)}",
    ]
    if document.resolved_at is not None:
        lines.append(f"  ended:   {_time(document.resolved_at)}")
    if document.status == "escalated":
        told = _time(document.notified_at) if document.notified_at is not None else "nobody yet"
        lines.append(f"  told:    {told}")
    return [*lines, f"  {counted(len(attempts), 'attempt')} in all:", *(f"    {attempt_line(one)}" for one in attempts)]


def attempt_line(attempt: "Attempt") -> str:
    """One attempt: when, which, where, how long, why."""
    facts = [f"episode {attempt.episode}, attempt {attempt.attempt}", attempt.stage]
    if attempt.seconds is not None:
        facts.append(f"{attempt.seconds:.1f} s")
    if attempt.provider_status is not None:
        facts.append(f"HTTP {attempt.provider_status}")
    return f"{_time(attempt.failed_at)}  {', '.join([*facts, attempt.error_type])}: {visible(attempt.message)}"


def document_facts(document: "FailedDocument", attempts: "Sequence[Attempt] | None" = None) -> dict[str, object]:
    """The same for a program; with its history where that is given."""
    facts: dict[str, object] = asdict(document)
    del facts["collection_id"]
    return facts if attempts is None else {**facts, "history": [asdict(attempt) for attempt in attempts]}


def _next_try(document: "FailedDocument", now: datetime) -> str:
    if document.next_retry_at is None:
        return "with the next run" if document.status == "queued" else ""
    seconds = (document.next_retry_at - now).total_seconds()
    return f"in {duration(seconds)}" if seconds > 0 else "due"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")
