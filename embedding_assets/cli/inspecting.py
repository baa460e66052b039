"""The commands that only look: status and explain. What is said of a document is decided in domain/explanation."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli import sharing, standing
from embedding_assets.cli.examples import examples
from embedding_assets.cli.exporting import missed
from embedding_assets.cli.failed_documents import attempt_line
from embedding_assets.cli.rendering import counted, one_line, out, print_json, table, visible
from embedding_assets.cli.session import current_settings, run_async
from embedding_assets.cli.standing import Standing
from embedding_assets.domain.failures import EmbeddingAssetsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedding_assets.domain.explanation import DocumentState, Explanation
    from embedding_assets.settings import Settings
    from embedding_assets.store.database import Tx
    from embedding_assets.store.inspection import Attempt, HeadingPath

    Told = tuple[str, DocumentState, Explanation, Sequence[Attempt], Sequence[HeadingPath]]


_HEADINGS, _HEADINGS_WIDTH = 10, 100


class UnknownDocument(EmbeddingAssetsError):
    """No collection knows the key; the message has similar ones."""


@examples("embedding-assets status")
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """How every collection stands: queue, runs, promises, failures; and the limits and budgets they share."""
    settings = current_settings()
    standings = run_async(lambda: standing.gather(settings))
    shared = run_async(lambda: sharing.gather(settings))
    if as_json:
        print_json({"collections": [standing.facts(one) for one in standings], **sharing.facts(shared)})
        return
    if not standings:
        out().print("no collection is applied yet: embedding-assets collections apply, or embedding-assets demo")
        return
    numbers = ("listed", "published", "queued", "promises", "overdue", "failed")
    columns = {"collection": "left", **dict.fromkeys(numbers, "right"), "polled": "left"}
    out().print(table(columns, [_row(one) for one in standings]))
    for one in standings:
        for line in standing.waits(one):
            out().print(f"{one.freshness.collection}: {line}")
    for shown in sharing.tables(shared):
        out().print()
        out().print(shown)
    for line in sharing.lines(shared):
        out().print(line, style="yellow")
    if lacking := missed(settings):
        out().print(lacking, style="yellow")


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


def _row(one: Standing) -> "Sequence[object]":
    row = one.freshness
    counts = (row.listed, row.published, one.queued, row.open_promises, row.overdue, one.failures)
    return row.collection, *(f"{count:,}" for count in counts), one.polled


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
            explanation = explain(state, collection=name, now=now, stopped=await _stopped(tx, name))
            if explanation.place is Place.UNKNOWN:
                similar += await inspection.similar_keys(tx, name, key)
            else:
                attempts = await inspection.attempts(tx, name, key)
                told.append((name, state, explanation, attempts, await inspection.outline(tx, name, key)))
    return told, similar


async def _stopped(tx: "Tx", collection: str) -> str:
    """The circuit for which nobody claims from the collection, if one is open."""
    from embedding_assets.domain.circuits import Scopes, in_the_way  # noqa: PLC0415 - as above
    from embedding_assets.store import circuits, collections  # noqa: PLC0415 - as above

    applied = await collections.find(tx, collection)
    scopes = Scopes(collection, applied.model.name).all if applied else ()
    circuit = in_the_way(await circuits.open_circuits(tx, scopes))
    return circuit.sentence if circuit else ""


def _print_told(told: "Told", key: str) -> None:
    collection, state, explanation, attempts, outline = told
    console = out()
    console.print(f"{collection}: {visible(key)}", style="bold")
    sentences = {"title": state.title, "uri": state.uri, "where": explanation.where, "why": explanation.why}
    sentences["next"] = explanation.next
    for name, sentence in sentences.items():
        if sentence:
            console.print(f"  {name + ':':<7}{visible(sentence)}")
    if outline:
        console.print(f"  its chunks stand under {counted(len(outline), 'heading')}:")
    for path in outline[:_HEADINGS]:
        shown = one_line(" > ".join(path.headings), _HEADINGS_WIDTH)
        console.print(f"    {shown}: {counted(path.chunks, 'chunk')}")
    if len(outline) > _HEADINGS:
        console.print(f"    and {len(outline) - _HEADINGS:,} more")
    if attempts:
        console.print(f"  {counted(len(attempts), 'failed attempt')}:")
    for attempt in attempts:
        console.print(f"    {attempt_line(attempt)}")


def _told_facts(told: "Told", key: str) -> dict[str, object]:
    collection, state, explanation, attempts, outline = told
    named = {"collection": collection, "document_key": key, **asdict(explanation)}
    headings = [asdict(path) for path in outline]
    return {**named, "state": asdict(state), "headings": headings, "attempts": [asdict(one) for one in attempts]}
