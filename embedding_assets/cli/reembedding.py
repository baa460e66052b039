"""The command `reembed`: what is stale and what it costs, then, if approved, bringing it up to date. Not here: the steps."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.progress import progress
from embedding_assets.cli.rendering import counted, note, out, print_json, table, visible, warn
from embedding_assets.cli.searching import only_collection
from embedding_assets.cli.session import current_settings, run_async, run_name
from embedding_assets.domain.reembedding import Approval, Decision, Estimate, StalePart

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedding_assets.pipeline.reembedding import ReembedOutcome
    from embedding_assets.settings import Settings

_COLUMNS = {
    "stale because": "left", "documents": "right", "inputs": "right", "unchanged": "right", "to send": "right",
    "tokens": "right", "USD": "right",
}  # fmt: skip


@examples("embedding-assets reembed docs", "embedding-assets reembed docs --approve --max-usd 20")
def reembed(
    collection: Annotated[str | None, typer.Argument(help="The collection; needed when there are several.")] = None,
    approve: Annotated[bool, typer.Option("--approve", help="Spend what is shown, and begin.")] = False,
    max_usd: Annotated[
        float | None, typer.Option("--max-usd", min=0, help="Do not begin where it would cost more than this.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is stale and what embedding it again costs; with --approve do it.

    Begins without approval only where it costs no more than EMBEDDING_ASSETS_AUTO_REEMBED_MAX_USD. Search goes on meanwhile.
    Exit code 1: approved, but dearer than --max-usd, or the new model refused documents.
    """
    settings = current_settings()
    name = collection or only_collection(settings, how="")
    approval = Approval(approve, max_usd, settings.auto_reembed_max_usd)
    shown: Callable[[Estimate], None] = (lambda _: None) if as_json else (lambda found: _print_estimate(name, found))
    outcome = run_async(lambda: _reembed(settings, name, approval, shown))
    if as_json:
        print_json(reembed_facts(name, outcome))
    else:
        _print_outcome(name, outcome, approval)
    unfinished = outcome.built is not None and not outcome.built.cut_over
    if unfinished or (outcome.decision is Decision.TOO_DEAR and approve):
        raise typer.Exit(1)


async def _reembed(
    settings: "Settings", collection: str, approval: Approval, on_estimated: "Callable[[Estimate], None]"
) -> "ReembedOutcome":
    from embedding_assets.pipeline.reembedding import reembed  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.pipeline.run_records import recorded  # noqa: PLC0415 - as above
    from embedding_assets.runtime import open_workbench  # noqa: PLC0415 - as above

    total = done = 0

    def estimated(found: Estimate) -> None:
        nonlocal total
        total = found.model.documents
        on_estimated(found)

    async with (
        open_workbench(settings, collection, run_id=run_name()) as bench,
        recorded(bench, "reembed_stale_documents"),
    ):
        with progress(collection) as shown:

            def built(documents: int) -> None:
                nonlocal done
                done += documents
                shown.show(done, max(done, total))

            return await reembed(bench, approval, on_estimated=estimated, on_built=built)


def _print_estimate(collection: str, found: Estimate) -> None:
    reasons = {
        "vectors are missing or bad": found.vectors,
        f"model {visible(found.building)} is being built" if found.building else "": found.model,
        "the chunker changed": found.chunker,
    }
    rows = [_row(reason, part) for reason, part in reasons.items() if reason and (part.documents or part.inputs)]
    if not rows:
        return
    console = out()
    console.print(table(_COLUMNS, rows))
    console.print(
        f"{collection}: to send: {counted(found.to_send, 'input')}, about {counted(found.tokens, 'token')}, "
        f"{found.usd:,.4f} USD"
    )
    for price in {part.price for part in found.parts if part.to_send}:
        console.print(f"  {price.usd_per_million_tokens:g} USD per million tokens: {price.origin.value}", style="dim")


def _row(reason: str, part: StalePart) -> tuple[object, ...]:
    documents = f"{part.documents:,}" if part.documents else ""
    numbers = (part.inputs, part.unchanged, part.to_send, part.tokens)
    return reason, documents, *(f"{number:,}" for number in numbers), f"{part.usd:,.4f}"


def _print_outcome(collection: str, outcome: "ReembedOutcome", approval: Approval) -> None:
    match outcome.decision:
        case Decision.NOTHING_STALE:
            out().print(f"{collection}: nothing is stale")
        case Decision.NEEDS_APPROVAL:
            out().print(f"nothing was sent; to begin: embedding-assets reembed {collection} --approve")
        case Decision.TOO_DEAR:
            warn(f"nothing was sent: it would cost more than {approval.max_usd:g} USD")
        case Decision.BEGIN:
            _print_done(collection, outcome)


def _print_done(collection: str, outcome: "ReembedOutcome") -> None:
    console = out()
    if outcome.repaired and outcome.repaired.repaired:
        console.print(f"{collection}: {counted(outcome.repaired.repaired, 'vector')} made again")
    if outcome.queued:
        console.print(
            f"{collection}: {counted(outcome.queued, 'document')} queued in the backfill lane: Dagster takes them, "
            f"or embedding-assets run {collection} --no-sync"
        )
    built = outcome.built
    sent = outcome.requests
    if sent.requests:
        console.print(
            f"{collection}: {counted(sent.inputs, 'input')} sent in {counted(sent.requests, 'request')}, "
            f"{counted(sent.tokens, 'token')} as the provider counts, {sent.cost_usd:,.4f} USD"
        )
    if built is None:
        return
    console.print(f"{collection}: {counted(built.documents, 'document')} built")
    if built.cut_over:
        console.print(
            f"{collection}: search answers from the new model now; the old one is kept for going back: "
            "embedding-assets models list"
        )
    elif built.refusals.errors:
        kinds = ", ".join(f"{count:,} {error}" for error, count in sorted(built.refusals.errors.items()))
        keys = ", ".join(visible(key) for key in built.refusals.keys)
        warn(
            f"{counted(built.lacking, 'document')} not built, search stays under the old model. The new model refused "
            f"inputs ({kinds}), of {keys}: correct or remove these documents, or put the old model back"
        )
    else:
        note(f"{counted(built.lacking, 'document')} not built yet: another builder is at work, or was; run this again")


def reembed_facts(collection: str, outcome: "ReembedOutcome") -> dict[str, object]:
    """The same for a program."""
    found = outcome.estimate
    names = ("vectors", "model", "chunker")
    stale = {name: _part_facts(part) for name, part in zip(names, found.parts, strict=True)}
    built = outcome.built
    return {
        "collection": collection,
        "decision": outcome.decision.value,
        "building": found.building,
        "stale": stale,
        "inputs_to_send": found.to_send,
        "tokens_to_send": found.tokens,
        "usd": found.usd,
        "repaired": outcome.repaired.repaired if outcome.repaired else 0,
        "queued": outcome.queued,
        "sent": asdict(outcome.requests),
        "built": {key: value for key, value in asdict(built).items() if key not in ("index", "requests")}
        if built
        else None,
    }


def _part_facts(part: StalePart) -> dict[str, object]:
    counts = {name: getattr(part, name) for name in ("documents", "inputs", "unchanged", "to_send", "tokens", "usd")}
    price = part.price
    return {**counts, "usd_per_million_tokens": price.usd_per_million_tokens, "price_from": price.origin.name.lower()}
