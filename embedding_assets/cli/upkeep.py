"""The command `maintain`: collect vectors that nobody holds, build the index where it is missing. Not here: the steps."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.rendering import counted, out, print_json
from embedding_assets.cli.session import current_settings, run_async, run_name

if TYPE_CHECKING:
    from embedding_assets.pipeline.maintain import UpkeepOutcome
    from embedding_assets.settings import Settings


@examples("embedding-assets maintain", "embedding-assets maintain docs --purge")
def maintain(
    collections: Annotated[list[str] | None, typer.Argument(help="Collections; all of the file without any.")] = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Do not wait for the grace: what nobody holds goes now, as erasure asks.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Delete vectors that no document holds any more, and build a missing index. Dagster does it every night."""
    from embedding_assets.runtime import collections_file  # noqa: PLC0415 - heavy imports wait for their command

    settings = current_settings()
    names = collections or list(collections_file(settings).collections)
    done = {name: run_async(lambda name=name: _maintain(settings, name, purge)) for name in names}
    if as_json:
        print_json({name: asdict(outcome) for name, outcome in done.items()})
        return
    for name, outcome in done.items():
        out().print(f"{name}: {upkeep_line(outcome)}")


async def _maintain(settings: "Settings", collection: str, purge: bool) -> "UpkeepOutcome":
    from embedding_assets.pipeline.maintain import maintain  # noqa: PLC0415 - as above
    from embedding_assets.pipeline.run_records import recorded  # noqa: PLC0415 - as above
    from embedding_assets.runtime import open_workbench  # noqa: PLC0415 - as above

    grace = 0.0 if purge else settings.vector_grace_seconds
    async with open_workbench(settings, collection, run_id=run_name()) as bench, recorded(bench, "maintain_index"):
        return await maintain(bench, grace_seconds=grace)


def upkeep_line(outcome: "UpkeepOutcome") -> str:
    """What was done, in one line."""
    index = "; index built" if outcome.index.built else ""
    return (
        f"{counted(outcome.marked, 'vector')} newly held by nobody, {outcome.deleted:,} deleted, "
        f"{outcome.kept:,} held again, {outcome.in_grace:,} in their grace{index}"
    )
