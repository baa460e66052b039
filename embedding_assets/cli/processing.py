"""The commands that change what is stored: migrate, sync, run. Without Dagster, in this process.

Not here: the steps themselves (pipeline), or how a summary looks in the demo (cli/demo).
"""

from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.progress import Progress, progress
from embedding_assets.cli.rendering import counted, err, note, out, print_json, warn
from embedding_assets.cli.session import current_settings, run_async, run_name
from embedding_assets.cli.shards import parse_shards
from embedding_assets.domain.explanation import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedding_assets.domain.work import Tally
    from embedding_assets.pipeline.run_stages import StageOptions, StagesOutcome
    from embedding_assets.pipeline.sync import SyncOutcome
    from embedding_assets.settings import Settings

DELETIONS_WITHHELD = 3


@examples("embedding-assets migrate")
def migrate() -> None:
    """Bring the database's schema up to date."""
    from embedding_assets.runtime import database_urls  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.store import migrations  # noqa: PLC0415 - as above

    applied = migrations.upgrade(database_urls(current_settings()).database)
    out().print(f"applied {', '.join(applied)}" if applied else "nothing to do: the schema is up to date")


@examples("embedding-assets sync", "embedding-assets sync docs --confirm-deletions")
def sync(
    collections: Annotated[
        list[str] | None, typer.Argument(help="Collections to poll; all of the file without any.")
    ] = None,
    confirm_deletions: Annotated[
        bool, typer.Option("--confirm-deletions", help="Believe a listing that lost many documents at once.")
    ] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help="List all of it, also where the source could be asked for its changes.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Poll sources and queue what changed.

    Deletes nothing by itself. Exit code 3: deletions were withheld.
    """
    from embedding_assets.runtime import collections_file  # noqa: PLC0415 - as above

    settings = current_settings()
    names = collections or list(collections_file(settings).collections)
    found = {
        name: run_async(
            lambda name=name: sync_collection(settings, name, confirm_deletions=confirm_deletions, whole=whole)
        )
        for name in names
    }
    if as_json:
        print_json({name: sync_facts(outcome) for name, outcome in found.items()})
    else:
        for name, outcome in found.items():
            out().print(f"{name}: {sync_line(outcome)}")
    for name, outcome in found.items():
        _say_withheld(name, outcome)
    if any(outcome.withheld for outcome in found.values()):
        raise typer.Exit(DELETIONS_WITHHELD)


@examples("embedding-assets run docs", "embedding-assets run docs --shards 00,03 --no-sync")
def run(
    collection: Annotated[str, typer.Argument(help="The collection whose queue is processed.")],
    shards: Annotated[str, typer.Option(help="Shards to work, such as 00-15 or 00,03.")] = "00-15",
    force: Annotated[
        bool, typer.Option("--force", help="Process every known document of the shards again, changed or not.")
    ] = False,
    max_documents: Annotated[int | None, typer.Option(min=1, help="Process at most so many, then end.")] = None,
    sync_first: Annotated[bool, typer.Option("--sync/--no-sync", help="Poll the source before.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Process a collection's queue here, without Dagster.

    A failed document is reported and tried again later. Exit code 1: nothing could go on, everything is back in the queue.
    """
    from embedding_assets.pipeline.run_stages import StageOptions  # noqa: PLC0415 - as above

    options = StageOptions(retrack=force, force=force, max_documents=max_documents)
    numbers = parse_shards(shards)
    settings = current_settings()
    if sync_first:
        found = run_async(lambda: sync_collection(settings, collection, confirm_deletions=False))
        note(f"{collection}: {sync_line(found)}")
        _say_withheld(collection, found)
    with progress(collection) as shown:
        outcome = run_async(lambda: _process(settings, collection, numbers, options, shown))
    if as_json:
        print_json(_run_facts(collection, outcome))
    else:
        _print_run(collection, outcome)


async def sync_collection(
    settings: "Settings", collection: str, *, confirm_deletions: bool, whole: bool = False
) -> "SyncOutcome":
    """Poll one source; raises as `open_workbench` and `sync_source` do."""
    from embedding_assets.pipeline.run_records import recorded  # noqa: PLC0415 - as above
    from embedding_assets.pipeline.sync import sync_source  # noqa: PLC0415 - as above
    from embedding_assets.runtime import open_workbench  # noqa: PLC0415 - as above

    async with open_workbench(settings, collection, run_id=run_name()) as bench, recorded(bench, "sync_sources"):
        return await sync_source(bench, confirm_deletions=confirm_deletions, whole=whole)


async def _process(
    settings: "Settings", collection: str, shards: "Sequence[int]", options: "StageOptions", shown: Progress
) -> "StagesOutcome":
    from embedding_assets.pipeline.reprocessing import requeue_due  # noqa: PLC0415 - as above
    from embedding_assets.pipeline.run_records import recorded  # noqa: PLC0415 - as above
    from embedding_assets.pipeline.run_stages import ALL_STAGES, run_stages  # noqa: PLC0415 - as above
    from embedding_assets.runtime import open_workbench  # noqa: PLC0415 - as above
    from embedding_assets.store import work_queue  # noqa: PLC0415 - as above

    async with open_workbench(settings, collection, run_id=run_name()) as bench, recorded(bench, "embed_documents"):
        await requeue_due(bench)
        async with bench.db.transaction() as tx:
            depths = await work_queue.queue_depth(tx)
        waiting = sum(depth.documents for depth in depths if depth.collection == collection)
        return await run_stages(bench, ALL_STAGES, shards, options, on_settled=_counter(shown, waiting))


def _counter(shown: Progress, waiting: int) -> "Callable[[Tally], None]":
    done = 0

    def count(tally: "Tally") -> None:
        nonlocal done
        done += tally.settled
        shown.show(done, max(done, waiting))

    return count


def sync_line(outcome: "SyncOutcome") -> str:
    """What a poll found, in one line."""
    difference = outcome.difference
    listed = "listed" if outcome.whole else "told as changed"
    line = (
        f"{difference.listed:,} {listed}, {difference.new:,} new, {difference.changed:,} changed, "
        f"{difference.missing:,} missing, {outcome.enqueued:,} enqueued"
    )
    return line + (
        f"; {counted(outcome.unnameable, 'name')} left out: not UTF-8, or too long" if outcome.unnameable else ""
    )


def sync_facts(outcome: "SyncOutcome") -> dict[str, int | bool]:
    """The same for a program."""
    difference = outcome.difference
    return {
        "listed": difference.listed,
        "new": difference.new,
        "changed": difference.changed,
        "missing": difference.missing,
        "enqueued": outcome.enqueued,
        "withheld": outcome.withheld,
        "unnameable": outcome.unnameable,
        "initial": outcome.initial,
        "whole": outcome.whole,
    }


def _say_withheld(collection: str, outcome: "SyncOutcome") -> None:
    if outcome.withheld:
        warn(
            f"{collection}: {counted(outcome.withheld, 'deletion')} withheld: so many at once look like a broken mount. "
            f"If they are meant: embedding-assets sync {collection} --confirm-deletions"
        )


def _print_run(collection: str, outcome: "StagesOutcome") -> None:
    done = outcome.drained
    if done is None or not outcome.shards:
        out().print(
            "nothing was done: another run works these shards, and takes what is in their queue "
            "(one that was killed keeps them for EMBEDDING_ASSETS_LEASE_SECONDS)"
        )
        return
    whole = done.total
    console = out()
    if not whole.settled:
        console.print(f"{collection}: " + ("0 published" if done.stopped_by else "nothing to do, the queue is empty"))
    else:
        console.print(
            f"{collection}: {counted(whole.published, 'document')} published ({counted(whole.chunks, 'chunk')}, "
            f"{whole.chunks - whole.chunks_reused:,} embedded, {whole.chunks_reused:,} reused), {whole.unchanged:,} unchanged, "
            f"{whole.deleted:,} deleted, {whole.failed:,} failed in {done.seconds:.1f} s"
        )
    if whole.released or whole.refused:
        console.print(f"{whole.released:,} given back to the queue, {whole.refused:,} taken over by another worker")
    if done.stopped_by:
        wait = done.stopped_by
        note(f"the rest waits in the queue: {wait.reason}; there is room again in {duration(wait.seconds)}")
    if whole.failed:
        kinds = ", ".join(f"{count:,} {error}" for error, count in sorted(whole.errors.items()))
        err().print(f"failed: {kinds}; see more: embedding-assets status, embedding-assets explain KEY", style="yellow")


def _run_facts(collection: str, outcome: "StagesOutcome") -> dict[str, object]:
    facts: dict[str, object] = {"collection": collection, "shards": list(outcome.shards), "queued": outcome.queued}
    if outcome.drained is not None:
        whole = outcome.drained.total
        names = ("published", "unchanged", "deleted", "failed", "released", "refused", "chunks", "chunks_reused")
        facts |= {name: getattr(whole, name) for name in names}
        facts |= {"errors": whole.errors, "seconds": round(outcome.drained.seconds, 3)}
        facts |= {"requests": outcome.drained.requests.requests, "tokens": outcome.drained.requests.tokens}
        facts |= {"stopped_by": outcome.drained.stopped_by.reason if outcome.drained.stopped_by else None}
    return facts
