"""Composition root: settings in; opened database, source and embedder out, closed in order.

Everything that runs — the terminal, Dagster, tests of the whole — comes through here. No step of the pipeline, no SQL.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from embedding_assets.agreement import AgreedModel, NotApplied, agreed, chunking_facts, model_options
from embedding_assets.collections_file import (
    CollectionEntry,
    CollectionsFile,
    CollectionsFileError,
    load_collections_file,
)
from embedding_assets.domain.ports import Embedder, Notifier
from embedding_assets.limit_tables import LimitEntry
from embedding_assets.local import start_embedded
from embedding_assets.pipeline.retiring import drop_model
from embedding_assets.pipeline.switching import AppliedStep, apply_collection
from embedding_assets.pipeline.workbench import LimitName, Pace, Target, Workbench
from embedding_assets.providers.embedders import build_embedder
from embedding_assets.providers.notifiers import build_notifiers
from embedding_assets.settings import Settings
from embedding_assets.sources import close_source, source_of
from embedding_assets.store import collections, migrations, rate_limiter
from embedding_assets.store.collections import AppliedCollection, CollectionSettings
from embedding_assets.store.database import Database
from embedding_assets.store.rate_limiter import LimitSettings
from embedding_assets.store.vector_index import IndexOptions

EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """Where our tables are, and Dagster's own storage."""

    database: str
    dagster: str


def database_urls(settings: Settings) -> DatabaseUrls:
    """The URLs to connect to; starts the embedded server when that is what the settings name.

    Raises:
        EmbeddedServerError: it could not be started, or the extra `[local]` is missing.
    """
    if settings.database_url.get_secret_value() != EMBEDDED:
        database = settings.database_url.get_secret_value()
        dagster = settings.dagster_database_url
        return DatabaseUrls(database, dagster.get_secret_value() if dagster else database)
    server = start_embedded(Path(settings.home))
    return DatabaseUrls(server.database_url, server.dagster_url)


@asynccontextmanager
async def open_database(
    settings: Settings, *, application_name: str = "embedding-assets"
) -> AsyncGenerator[Database, None]:
    """The pool, open in this event loop.

    Raises:
        NotApplied: migrations are missing.
    """
    url = database_urls(settings).database
    missing = migrations.missing_revisions(url)
    if missing:
        raise NotApplied(f"the database lacks migrations {', '.join(missing)}: run `embedding-assets migrate`")
    async with Database(url, pool_size=settings.pool_size, application_name=application_name) as db:
        yield db


def collections_file(settings: Settings) -> CollectionsFile:
    """The collections the operator wrote.

    Raises:
        CollectionsFileError: the file is missing or wrong; the message names key, value and what is allowed.
    """
    return load_collections_file(Path(settings.collections_file))


async def apply_collections(settings: Settings, file: CollectionsFile) -> list[AppliedStep]:
    """Write every collection of the file to the database; what became of each, in the order of the file.

    Another model than the active one is built beside it once something is published. What a cancelled build held is dropped.

    Raises:
        CollectionsFileError: a source or a model's options are wrong; whether they answer is not looked at.
        NotApplied: the limit of a model that is still asked is no longer in the file.
    """
    for name, entry in file.collections.items():
        check_entry(settings, name, entry)
    steps: dict[str, AppliedStep] = {}
    async with open_database(settings) as db:
        async with db.transaction() as tx:
            for name, limit in file.limits.items():
                await rate_limiter.apply(tx, _limit_settings(name, limit))
            # In one order, as each takes a lock until the end.
            for name, entry in sorted(file.collections.items()):
                steps[name] = await apply_collection(tx, _settings_of(name, entry, file, settings))
                agreed(file, steps[name].applied, name)
        for name, step in steps.items():
            if step.dropped:
                await drop_model(db, name, step.dropped.id)
    return [steps[name] for name in file.collections]


def notifiers(settings: Settings) -> list[Notifier]:
    """Everybody who is told of escalated documents and failed runs.

    Raises:
        NotificationFailed: a registered notifier cannot be built.
    """
    url = settings.notify_webhook_url
    return build_notifiers(url.get_secret_value() if url else None, timeout_seconds=settings.notify_timeout_seconds)


def _limit_settings(name: str, limit: LimitEntry) -> LimitSettings:
    values = limit.model_dump(exclude={"budgets"})
    return LimitSettings(name=name, **values, budgets=limit.budgets.model_dump(exclude_none=True))


def check_entry(settings: Settings, name: str, entry: CollectionEntry) -> None:
    """Build its source and its model, neither of which is asked anything.

    Raises:
        CollectionsFileError: one of them has a key or a value that it does not take.
    """
    try:
        source_of(entry.source, lambda: database_urls(settings).database)
        _embedder_of(settings, entry, wire_format=None)
    except ValueError as error:
        message = f"{settings.collections_file}: collections.{name}: {error}"
        raise CollectionsFileError(message) from error


@asynccontextmanager
async def open_workbench(
    settings: Settings, collection: str, *, run_id: str, application_name: str = "embedding-assets"
) -> AsyncGenerator[Workbench, None]:
    """Everything one run over one collection needs; closed at the end of the block.

    Raises:
        NotApplied: the collection is not applied, or was applied with other settings than the file has now.
    """
    file = collections_file(settings)
    async with open_database(settings, application_name=application_name) as db:
        async with db.transaction() as tx:
            found = await collections.find(tx, collection)
        both = agreed(file, found, collection)
        source, pace = source_of(both.active.entry.source, lambda: db.url), _pace(settings)
        target = _target(file, both.applied, both.active)
        bench = Workbench(db, source, _embedder(settings, both.active), target, run_id, pace)
        if both.building:
            target = _target(file, both.applied, both.building)
            building = replace(bench, embedder=_embedder(settings, both.building), target=target)
            bench = replace(bench, building=building)
        try:
            yield bench
        finally:
            await bench.ledger.end(db)
            close_source(source)
            for one in (bench, bench.building):
                if one:
                    await one.embedder.aclose()


def _embedder(settings: Settings, agreed_model: AgreedModel) -> Embedder:
    return _embedder_of(settings, agreed_model.entry, wire_format=agreed_model.applied.wire_format)


def _embedder_of(settings: Settings, entry: CollectionEntry, *, wire_format: str | None) -> Embedder:
    return build_embedder(
        entry.embedding_model(),
        api_base=settings.api_base,
        api_key=settings.api_key.get_secret_value() if settings.api_key else None,
        timeout_seconds=settings.request_timeout_seconds,
        wire_format=wire_format,
        extra=entry.model.extra,
        usd_per_million_tokens=entry.model.usd_per_million_tokens,
    )


def _settings_of(name: str, entry: CollectionEntry, file: CollectionsFile, settings: Settings) -> CollectionSettings:
    strategy = entry.chunking_strategy()
    return CollectionSettings(
        name=name,
        owner=entry.owner,
        source=entry.source,
        chunking=chunking_facts(strategy),
        chunker_fingerprint=strategy.fingerprint,
        model=entry.embedding_model(),
        limit_name=entry.limit,
        budgets=entry.budgets.model_dump(exclude_none=True),
        weight=entry.weight,
        paused=entry.paused,
        freshness_seconds=settings.freshness_seconds,
        limit_consumer=file.limits[entry.limit].consumer if entry.limit else None,
        options=model_options(file, entry),
    )


def _target(file: CollectionsFile, applied: AppliedCollection, model: AgreedModel) -> Target:
    entry = model.entry
    shared = file.limits[entry.limit] if entry.limit else None
    caps = file.packing_caps(entry)
    limit = LimitName(entry.limit, shared.consumer, shared.ceiling_inputs(caps)) if entry.limit and shared else None
    budgets = [entry.budgets, *([shared.budgets] if shared else [])]
    return Target(
        name=applied.name,
        collection_id=applied.id,
        model_id=model.applied.id,
        model=model.applied.model,
        chunking=entry.chunking_strategy(),
        caps=caps,
        index=IndexOptions(entry.model.index.m, entry.model.index.ef_construction),
        limit=limit,
        budgeted=any(budget.model_dump(exclude_none=True) for budget in budgets),
        requeue=entry.requeue,
    )


def _pace(settings: Settings) -> Pace:
    return Pace(
        lease_seconds=settings.lease_seconds,
        max_claim_seconds=settings.max_claim_seconds,
        max_run_seconds=settings.max_run_seconds,
        finish_seconds=settings.finish_seconds,
        claim_documents=settings.claim_documents,
        settle_documents=settings.settle_documents,
        settle_interval=settings.settle_interval_seconds,
        fetchers=settings.fetch_concurrency,
        requests_at_once=settings.embed_concurrency,
        throttle_hold=settings.throttle_hold_seconds,
        throttle_patience=settings.throttle_patience_seconds,
        unknown_usd_per_million_tokens=settings.unknown_usd_per_million_tokens,
        ladder=tuple(settings.retry_ladder_seconds),
    )
