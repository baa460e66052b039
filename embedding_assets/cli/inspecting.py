"""The commands that only look: status and explain. What is said of a document is decided in domain/explanation."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import counted, out, print_json, table, visible
from embedding_assets.cli.session import current_settings, run_async
from embedding_assets.domain.explanation import duration
from embedding_assets.domain.failures import EmbeddingAssetsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from embedding_assets.domain.explanation import DocumentState, Explanation
    from embedding_assets.settings import Settings
    from embedding_assets.store.failures import FailureCount
    from embedding_assets.store.inspection import Attempt, Freshness
    from embedding_assets.store.work_queue import QueueDepth

    Told = tuple[str, DocumentState, Explanation, Sequence[Attempt]]


class UnknownDocument(EmbeddingAssetsError):
    """No collection knows the key; the message has similar ones."""


@examples("embedding-assets status")
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """How every collection stands: documents, queue, promises, failures."""
    settings = current_settings()
    rows, depths, failed = run_async(lambda: _standing(settings))
    if as_json:
        print_json([_facts(row, depths, failed) for row in rows])
        return
    if not rows:
        out().print("no collection is applied yet: embedding-assets collections apply, or embedding-assets demo")
        return
    columns = {"collection": "left", "listed": "right", "published": "right", "queued": "right", "promises": "right"}
    columns |= {"overdue": "right", "failed": "right", "last poll": "left", "model": "left"}
    out().print(table(columns, [_row(row, depths, failed) for row in rows]))
    for row in rows:
        for line in _waits(row, depths, failed):
            out().print(f"{row.collection}: {line}")


@examples("embedding-assets explain argparse", "embedding-assets explain guides/start.md -c handbook --json")
def explain(
    key: Annotated[str, typer.Argument(help="A document's key, as `search` shows it.")],
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Only in this collection.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Where a document is, why, and what comes next. Exit code 1: no collection knows the key."""
    settings = current_settings()
    told, similar = run_async(lambda: _tell(settings, collection, key))
    if not told:
        hint = f"; similar: {', '.join(map(repr, similar))}" if similar else ""
        raise UnknownDocument(f"no collection knows {key!r}{hint}")
    if as_json:
        print_json([_told_facts(one, key) for one in told])
        return
    for one in told:
        _print_told(one, key)


async def _standing(
    settings: "Settings",
) -> "tuple[list[Freshness], list[QueueDepth], list[FailureCount]]":
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.store import failures, inspection, work_queue  # noqa: PLC0415 - as above

    async with open_database(settings) as db, db.transaction() as tx:
        return await inspection.freshness(tx), await work_queue.queue_depth(tx), await failures.failure_counts(tx)


def _row(row: "Freshness", depths: "Sequence[QueueDepth]", failed: "Sequence[FailureCount]") -> "Sequence[object]":
    queued = sum(depth.documents for depth in depths if depth.collection == row.collection)
    bad = sum(count.documents for count in failed if count.collection == row.collection)
    polled = row.last_poll_at.strftime("%Y-%m-%d %H:%M:%S") if row.last_poll_at else "never"
    numbers = (row.listed, row.published, queued, row.open_promises, row.overdue, bad)
    return row.collection, *(f"{number:,}" for number in numbers), polled, f"{row.model}, {row.dimensions}"


def _waits(row: "Freshness", depths: "Sequence[QueueDepth]", failed: "Sequence[FailureCount]") -> list[str]:
    """What is being waited for, a line each; one line when nothing is."""
    lines = ["paused by its settings: nothing is processed"] if row.paused else []
    if row.last_poll_at is None:
        lines.append(f"never polled: embedding-assets sync {row.collection}")
    lines += [
        f"{counted(depth.documents, 'document')} {depth.state} in lane {depth.lane}, the oldest for {duration(depth.oldest_seconds)}"
        for depth in depths
        if depth.collection == row.collection
    ]
    if row.overdue:
        age = duration(row.oldest_change_seconds or 0)
        lines.append(f"{counted(row.overdue, 'change')} OVERDUE, the oldest from {age} ago: embedding-assets doctor")
    lines += [
        f"{counted(count.documents, 'failed document')} {count.status} ({count.error_type})"
        for count in failed
        if count.collection == row.collection
    ]
    return lines or ["nothing waits: everything the last poll listed is settled"]


def _facts(
    row: "Freshness", depths: "Sequence[QueueDepth]", failed: "Sequence[FailureCount]"
) -> "Mapping[str, object]":
    queue = [_without_name(asdict(depth)) for depth in depths if depth.collection == row.collection]
    bad = [_without_name(asdict(count)) for count in failed if count.collection == row.collection]
    return {**asdict(row), "queue": queue, "failed": bad, "waiting_for": _waits(row, depths, failed)}


def _without_name(values: dict[str, object]) -> dict[str, object]:
    values.pop("collection")
    return values


async def _tell(settings: "Settings", collection: str | None, key: str) -> "tuple[list[Told], list[str]]":
    from embedding_assets.domain.explanation import Place, explain  # noqa: PLC0415 - as above
    from embedding_assets.runtime import open_database  # noqa: PLC0415 - as above
    from embedding_assets.store import collections, inspection, source_listings  # noqa: PLC0415 - as above

    told: list[Told] = []
    similar: list[str] = []
    async with open_database(settings) as db, db.transaction() as tx:
        now = await source_listings.server_time(tx)
        for name in [collection] if collection else await collections.names(tx):
            state = await inspection.document_state(tx, name, key)
            if state is None:
                raise UnknownDocument(f"there is no collection {name!r}: embedding-assets status lists them")
            explanation = explain(state, collection=name, now=now)
            if explanation.place is Place.UNKNOWN:
                similar += await inspection.similar_keys(tx, name, key)
            else:
                told.append((name, state, explanation, await inspection.attempts(tx, name, key)))
    return told, similar


def _print_told(told: "Told", key: str) -> None:
    collection, state, explanation, attempts = told
    console = out()
    console.print(f"{collection}: {visible(key)}", style="bold")
    sentences = {"title": state.title, "uri": state.uri, "where": explanation.where, "why": explanation.why}
    sentences["next"] = explanation.next
    for name, sentence in sentences.items():
        if sentence:
            console.print(f"  {name + ':':<7}{visible(sentence)}")
    if attempts:
        console.print(f"  {counted(len(attempts), 'failed attempt')}:")
    for attempt in attempts:
        when = attempt.failed_at.strftime("%Y-%m-%d %H:%M:%S")
        place = f"episode {attempt.episode}, attempt {attempt.attempt}"
        console.print(f"    {when}  {place}, {attempt.stage}, {attempt.error_type}: {visible(attempt.message)}")


def _told_facts(told: "Told", key: str) -> dict[str, object]:
    collection, state, explanation, attempts = told
    named = {"collection": collection, "document_key": key, **asdict(explanation)}
    return {**named, "state": asdict(state), "attempts": [asdict(attempt) for attempt in attempts]}
