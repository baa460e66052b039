"""The command `doctor`: looks at everything a run needs, really embeds one sentence, and says what to do about the rest.

Not here: what counts as good (findings).
"""

import os
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from embedding_assets.cli.examples import examples
from embedding_assets.cli.exporting import missed
from embedding_assets.cli.findings import (
    Finding,
    Verdict,
    failure,
    judge_build,
    judge_circuit,
    judge_connections,
    judge_heartbeats,
    judge_limit,
    judge_price,
    judge_queue,
    judge_rights,
    judge_server,
    judge_variables,
    judge_withheld,
    ok,
    warning,
)
from embedding_assets.cli.rendering import out, print_json, visible, visible_lines
from embedding_assets.cli.session import current_settings, run_async, run_name
from embedding_assets.domain.failures import EmbeddingAssetsError

if TYPE_CHECKING:
    from embedding_assets.collections_file import CollectionEntry
    from embedding_assets.pipeline.workbench import Workbench
    from embedding_assets.settings import Settings

_STYLES = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red"}
_SENTENCE = "A sentence to see that the model answers."
_LOCAL = "local/"
_INDENT = 7


@examples("embedding-assets doctor", "embedding-assets doctor docs --json")
def doctor(
    collections: Annotated[
        list[str] | None, typer.Argument(help="Collections to look at; all of the file without any.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check everything a run needs, and say what to do.

    Really embeds one sentence with each model. Exit code 1: something fails.
    """
    settings = current_settings()
    findings: list[Finding] = []

    async def examine() -> None:
        async with aclosing(_examination(settings, collections)) as found:
            async for finding in found:
                findings.append(finding)
                if not as_json:
                    _print(finding)

    run_async(examine)
    counts = Counter(finding.verdict for finding in findings)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        out().print(", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict))
    if counts[Verdict.FAIL]:
        raise typer.Exit(1)


async def _examination(settings: "Settings", names: Sequence[str] | None) -> AsyncGenerator[Finding, None]:
    """Findings in the order a person would repair them; ends early where what follows could not be looked at."""
    from embedding_assets.settings import unknown_variables  # noqa: PLC0415 - heavy imports wait for their command

    for finding in judge_variables(unknown_variables(os.environ)):
        yield finding
    reachable = True
    for finding in await _server(settings):
        reachable = reachable and finding.verdict is not Verdict.FAIL
        yield finding
    if not reachable:
        return
    yield _dagster(settings)
    if lacking := missed(settings):
        yield warning("exporter", lacking, "")
    file, finding = _file(settings)
    yield finding
    asked: set[str] = set()
    for name in names or sorted(file):
        async with aclosing(_collection(settings, name, asked)) as found:
            async for finding in found:
                yield finding


async def _server(settings: "Settings") -> list[Finding]:
    from embedding_assets.runtime import database_urls  # noqa: PLC0415 - heavy imports wait for their command
    from embedding_assets.store import inspection, migrations  # noqa: PLC0415 - as above
    from embedding_assets.store.database import Database  # noqa: PLC0415 - as above

    findings: list[Finding] = []
    with _told(findings, "database", "check EMBEDDING_ASSETS_DATABASE_URL and that the server runs"):
        url = database_urls(settings).database
        missing = migrations.missing_revisions(url)
        async with Database(url, pool_size=2) as db, db.transaction() as tx:
            facts = await inspection.server_facts(tx)
            findings += judge_server(facts)
            if missing:
                found = f"migrations {', '.join(missing)} are missing"
                findings.append(failure("schema", found, "run: embedding-assets migrate"))
                return findings
            findings.append(ok("schema", "up to date"))
            findings.append(judge_rights(await inspection.missing_rights(tx), facts.role))
            findings.append(judge_connections(facts, settings.pool_size))
    return findings


def _dagster(settings: "Settings") -> Finding:
    from embedding_assets.runtime import database_urls  # noqa: PLC0415 - as above
    from embedding_assets.store.dagster_storage import daemon_heartbeats  # noqa: PLC0415 - as above

    findings: list[Finding] = []
    with _told(findings, "dagster daemon", "check EMBEDDING_ASSETS_DAGSTER_DATABASE_URL"):
        return judge_heartbeats(daemon_heartbeats(database_urls(settings).dagster), datetime.now(timezone.utc))
    return findings[0]


def _file(settings: "Settings") -> "tuple[dict[str, CollectionEntry], Finding]":
    from embedding_assets.runtime import collections_file  # noqa: PLC0415 - as above

    findings: list[Finding] = []
    with _told(findings, "collections file"):
        entries = dict(collections_file(settings).collections)
        return entries, ok("collections file", f"{settings.collections_file}: {', '.join(sorted(entries))}")
    return {}, findings[0]


async def _collection(settings: "Settings", name: str, asked: set[str]) -> AsyncGenerator[Finding, None]:
    """Everything of one collection; `asked` has the models (by fingerprint) that answered already."""
    from embedding_assets.domain.circuits import in_the_way  # noqa: PLC0415 - as above
    from embedding_assets.runtime import open_workbench  # noqa: PLC0415 - as above
    from embedding_assets.store import circuits, source_listings, work_queue  # noqa: PLC0415 - as above

    findings: list[Finding] = []
    with _told(findings, f"{name}: settings"):
        async with open_workbench(settings, name, run_id=run_name()) as bench:
            yield ok(f"{name}: settings", "file and database agree")
            yield await _source(bench)
            for asked_model in (bench, bench.building):
                if asked_model and asked_model.target.model.fingerprint not in asked:
                    asked.add(asked_model.target.model.fingerprint)
                    for finding in await _model(asked_model):
                        yield finding
            if bench.building:
                yield judge_build(f"{name}: model", bench.building.target.model.name, name)
            limit = bench.target.limit.name if bench.target.limit else None
            yield judge_limit(f"{name}: limit", limit=limit, local=bench.target.model.name.startswith(_LOCAL))
            async with bench.db.transaction() as tx:
                circuit = in_the_way(await circuits.open_circuits(tx, bench.target.circuits.all))
                yield judge_circuit(f"{name}: circuit", circuit, name)
                yield judge_queue(await work_queue.queue_depth(tx), name, settings.freshness_seconds)
                polled = await source_listings.poll_state(tx, bench.target.collection_id)
                yield judge_withheld(f"{name}: deletions", polled.withheld_deletions, name)
    for finding in findings:
        yield finding


async def _source(bench: "Workbench") -> Finding:
    from anyio import to_thread  # noqa: PLC0415 - as above

    check = f"{bench.target.name}: source"
    findings: list[Finding] = []
    with _told(findings, check, "make the source readable for this process"):
        first = await to_thread.run_sync(lambda: next(iter(bench.source.list_documents()), None))
        if first is None:
            return Finding(check, Verdict.WARN, "it lists no document at all", "check its path and its include rules")
        return ok(check, "it can be listed")
    return findings[0]


async def _model(bench: "Workbench") -> list[Finding]:
    from embedding_assets.domain.prices import PriceOrigin  # noqa: PLC0415 - as above
    from embedding_assets.domain.work import Lane  # noqa: PLC0415 - as above
    from embedding_assets.pipeline.requesting import Requester  # noqa: PLC0415 - as above

    name, embedder = bench.target.model.name, bench.embedder
    findings: list[Finding] = []
    with _told(findings, f"model {name}", "check the model's name, its address and its key"):
        reply = await Requester(bench).ask(_SENTENCE, Lane.LIVE)
        for rejected in reply.rejected:
            findings.append(failure(f"model {name}", rejected.detail, "correct `dimensions` of the model in the file"))
            return findings
        price = embedder.usd_per_million_tokens if embedder.price_origin is PriceOrigin.FILE else None
        local = name.startswith(_LOCAL)
        return [
            ok(f"model {name}", f"answered with {reply.vectors.shape[1]} dimensions"),
            judge_price(f"price {name}", model=name, local=local, configured=price, cost_usd=reply.cost_usd),
        ]
    return findings


@contextmanager
def _told(findings: list[Finding], check: str, advice: str = "") -> Generator[None, None, None]:
    """An error of ours inside the block becomes a failed finding."""
    try:
        yield
    except (EmbeddingAssetsError, ValueError) as error:
        found = str(error)
        # Most of our errors say themselves what to do.
        findings.append(failure(check, found, "" if advice in found else advice))


def _print(finding: Finding) -> None:
    from rich.text import Text  # noqa: PLC0415 - as above

    line = Text.assemble((f"{finding.verdict.value:<5}", _STYLES[finding.verdict]), f"{visible(finding.check)}: ")
    line.append(visible_lines(finding.found, indent=_INDENT))
    out().print(line)
    if finding.advice:
        out().print(" " * _INDENT + visible(finding.advice), style="dim")
