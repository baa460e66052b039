"""A fault for every error type, on a scene of three documents of which `bad.md` is the one it may concern.

Each is a real one: the provider's HTTP, PostgreSQL itself, files. Not here: what must follow (test_every_failure), the page that
tells of it (contracts/dump_failures).
"""

import fcntl
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from psycopg import AsyncConnection, sql
from psycopg.conninfo import make_conninfo
from typing_extensions import LiteralString

from embedding_assets.domain.failures import ErrorType
from embedding_assets.domain.work import Lane
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.providers.sources.directory import DirectorySource
from embedding_assets.store import work_queue
from embedding_assets.store.database import Database
from embedding_assets.store.work_queue import Pick
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import simulated_model

BAD = "bad.md"
MARKER = "this one is bad"
ALL = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """A synced collection whose documents wait in the queue, the folder they are in, and the provider's switches."""

    bench: Workbench
    folder: Path
    provider: Simulator


Fault: TypeAlias = Callable[[Scene], AbstractAsyncContextManager[Workbench]]


@dataclass(frozen=True, slots=True)
class Case:
    """A fault and how the page names it; the bench that the fault yields is the one that meets it."""

    told: str
    fault: Fault


def _provider(kind: FaultKind, marker: str = MARKER, **settings: object) -> Fault:
    @asynccontextmanager
    async def fault(scene: Scene) -> AsyncGenerator[Workbench, None]:
        scene.provider.fault(kind, marker=marker, **settings)
        yield scene.bench
        scene.provider.reset()

    return fault


@asynccontextmanager
async def _silence(scene: Scene) -> AsyncGenerator[Workbench, None]:
    """Requests of one input each and one try, so that it is waited for once."""
    scene.provider.fault(FaultKind.DELAY, marker=MARKER, seconds=30)
    bench = scene.bench
    impatient = simulated_model(scene.provider, timeout_seconds=2)
    alone = replace(bench.target, caps=replace(bench.target.caps, max_inputs=1))
    yield replace(bench, embedder=impatient, target=alone, pace=replace(bench.pace, request_tries=1))
    await impatient.aclose()
    scene.provider.reset()


def _content(data: bytes, *, max_bytes: int = 1000) -> Fault:
    @asynccontextmanager
    async def fault(scene: Scene) -> AsyncGenerator[Workbench, None]:
        (scene.folder / BAD).write_bytes(data)
        yield replace(scene.bench, source=DirectorySource(scene.folder, max_bytes=max_bytes))

    return fault


@asynccontextmanager
async def _unmounted(scene: Scene) -> AsyncGenerator[Workbench, None]:
    elsewhere = scene.folder.with_name("elsewhere")
    scene.folder.rename(elsewhere)
    yield scene.bench
    elsewhere.rename(scene.folder)


@asynccontextmanager
async def _leased_file(scene: Scene) -> AsyncGenerator[Workbench, None]:
    """Another program holds the file by a lease: whoever does not wait is told that it is unavailable."""
    held = os.open(scene.folder / BAD, os.O_RDWR)
    fcntl.fcntl(held, fcntl.F_SETSIG, signal.SIGURG)  # the holder is told; the usual signal would end this process
    fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    yield scene.bench
    os.close(held)


def _refusing(action: LiteralString) -> Fault:
    """PostgreSQL does this when the bad document is about to be published."""

    @asynccontextmanager
    async def fault(scene: Scene) -> AsyncGenerator[Workbench, None]:
        async with scene.bench.db.transaction() as tx:
            body = sql.SQL(action)
            await tx.execute(
                sql.SQL(
                    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {}; RETURN NEW; END $$"
                ).format(body)
            )
            await tx.execute(
                """
                CREATE TRIGGER refuse BEFORE INSERT ON embedding_assets.publications
                FOR EACH ROW WHEN (NEW.document_key = 'bad.md') EXECUTE FUNCTION refuse()
                """
            )
        yield scene.bench
        async with scene.bench.db.transaction() as tx:
            await tx.execute("DROP FUNCTION refuse() CASCADE")

    return fault


@asynccontextmanager
async def _without_the_right(scene: Scene) -> AsyncGenerator[Workbench, None]:
    """The run connects as a role that may do everything but insert publications."""
    role = sql.Identifier("may_not_publish")
    given: list[LiteralString] = [
        "CREATE ROLE {} LOGIN",
        "GRANT USAGE, CREATE ON SCHEMA embedding_assets TO {}",
        "GRANT ALL ON ALL TABLES IN SCHEMA embedding_assets TO {}",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA embedding_assets TO {}",
        "GRANT ALL ON ALL FUNCTIONS IN SCHEMA embedding_assets TO {}",
        "REVOKE INSERT ON embedding_assets.publications FROM {}",
    ]
    taken: list[LiteralString] = ["REASSIGN OWNED BY {} TO CURRENT_USER", "DROP OWNED BY {}", "DROP ROLE {}"]
    async with scene.bench.db.autocommit() as administration:
        for statement in given:
            await administration.execute(sql.SQL(statement).format(role))
        try:
            async with Database(make_conninfo(scene.bench.db.url, user="may_not_publish")) as db:
                yield replace(scene.bench, db=db)
        finally:
            # A session that has not quite ended is still dropping its temporary tables.
            await administration.execute(
                "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE usename = 'may_not_publish'"
            )
            for statement in taken:
                await administration.execute(sql.SQL(statement).format(role))


@asynccontextmanager
async def _held_row(scene: Scene) -> AsyncGenerator[Workbench, None]:
    """Another session publishes the bad document and does not commit; the run waits for locks for 50 ms."""
    target = scene.bench.target
    async with await AsyncConnection.connect(scene.bench.db.url) as other:
        await other.execute(
            "INSERT INTO embedding_assets.publications VALUES (%s, %s, 'bad.md', 0, '', 0)",
            [target.collection_id, target.model_id],
        )
        async with Database(make_conninfo(scene.bench.db.url, options="-c lock_timeout=50")) as db:
            yield replace(scene.bench, db=db)
        await other.rollback()


@asynccontextmanager
async def _dead_workers(scene: Scene) -> AsyncGenerator[Workbench, None]:
    """Three workers claim the bad document and are never heard of again."""
    collection_id = scene.bench.target.collection_id
    async with scene.bench.db.transaction() as tx:
        await work_queue.fold(tx, collection_id)
    for worker in ("first", "second", "third"):
        for suspects in (False, True):
            async with scene.bench.db.transaction() as tx:
                claimed = await work_queue.claim(
                    tx,
                    collection_id,
                    range(16),
                    lane=Lane.BACKFILL,
                    items=100,
                    owner=worker,
                    lease_seconds=0,
                    pick=Pick(suspects=suspects),
                )
                await work_queue.release(tx, collection_id, [item for item in claimed if item.document_key != BAD])
    yield scene.bench


@asynccontextmanager
async def _another_model(scene: Scene) -> AsyncGenerator[Workbench, None]:
    """Search went over to another model after the run was opened."""
    go_over = "UPDATE embedding_assets.collections SET active_model_id = %s"
    async with scene.bench.db.transaction() as tx:
        cursor = await tx.execute(
            """
            INSERT INTO embedding_assets.models
                (name, dimensions, storage, distance, input_template, normalized, fingerprint)
            VALUES ('another', 8, 'vector', 'cosine', '{content}', false, 'another') RETURNING id
            """
        )
        await tx.execute(go_over, await cursor.fetchone())
    yield scene.bench
    async with scene.bench.db.transaction() as tx:
        await tx.execute(go_over, [scene.bench.target.model_id])


_DIES = "PERFORM pg_terminate_backend(pg_backend_pid())"
_REFUSES_DATA = "RAISE EXCEPTION 'no such character' USING ERRCODE = 'untranslatable_character'"

CASES: dict[ErrorType, Case] = {
    ErrorType.RATE_LIMITED: Case(
        "the provider answers 429 twice, with Retry-After",
        _provider(FaultKind.STATUS, ALL, status=429, retry_after="0.1", times=2),
    ),
    ErrorType.ROOT_UNAVAILABLE: Case("the source's root folder is gone", _unmounted),
    ErrorType.CREDENTIALS_REJECTED: Case(
        "the provider answers 401", _provider(FaultKind.STATUS, ALL, status=401, code="invalid_api_key")
    ),
    ErrorType.UNKNOWN_MODEL: Case(
        "the provider answers 404", _provider(FaultKind.STATUS, ALL, status=404, code="model_not_found")
    ),
    ErrorType.BUDGET_REACHED: Case(
        "the provider answers 429 `insufficient_quota`",
        _provider(FaultKind.STATUS, ALL, status=429, code="insufficient_quota"),
    ),
    ErrorType.CONNECTION_FAILED: Case("the provider resets every connection", _provider(FaultKind.RESET, ALL)),
    ErrorType.DATABASE_UNAVAILABLE: Case("PostgreSQL ends the connection amid a settle", _refusing(_DIES)),
    ErrorType.DATABASE_REFUSED: Case("the run's role may not insert publications", _without_the_right),
    ErrorType.MODEL_REPLACED: Case("the collection got another model since the run began", _another_model),
    ErrorType.DATABASE_BUSY: Case("another session holds the document's row beyond `lock_timeout`", _held_row),
    ErrorType.PROVIDER_UNAVAILABLE: Case(
        "the provider answers 500 to its input", _provider(FaultKind.STATUS, status=500)
    ),
    ErrorType.PROVIDER_TIMEOUT: Case("the provider does not answer to its input", _silence),
    ErrorType.MALFORMED_REPLY: Case("the provider answers its input with a web page", _provider(FaultKind.NOT_JSON)),
    ErrorType.COUNT_MISMATCH: Case(
        "the provider leaves a vector out where its input is among them", _provider(FaultKind.ONE_TOO_FEW)
    ),
    ErrorType.ORDER_MISMATCH: Case(
        "the provider counts from 1 where its input is among them", _provider(FaultKind.SHIFTED_INDEXES)
    ),
    ErrorType.SOURCE_UNREADABLE: Case("another program holds its file by a lease", _leased_file),
    ErrorType.UNEXPECTED: Case("the provider answers 418 to its input", _provider(FaultKind.STATUS, status=418)),
    ErrorType.INPUT_REJECTED: Case("the provider answers 400 to its input", _provider(FaultKind.STATUS, status=400)),
    ErrorType.CONTEXT_TOO_LONG: Case(
        "the provider answers that its input exceeds the context length", _provider(FaultKind.CONTEXT_TOO_LONG)
    ),
    ErrorType.DIMENSION_MISMATCH: Case(
        "the provider answers its input with a longer vector", _provider(FaultKind.WRONG_DIMENSION)
    ),
    ErrorType.NON_FINITE: Case("the provider answers its input with NaN", _provider(FaultKind.NAN)),
    ErrorType.ZERO_VECTOR: Case("the provider answers its input with zeros", _provider(FaultKind.ZERO)),
    ErrorType.UNDECODABLE: Case("its file is not UTF-8", _content(b"caf\xe9 " * 20)),
    ErrorType.TOO_LARGE: Case("its file is larger than `max_bytes`", _content(b"x" * 1001)),
    ErrorType.INVALID_DATA: Case("PostgreSQL refuses its text (SQLSTATE 22P05)", _refusing(_REFUSES_DATA)),
    ErrorType.WORKER_LOST: Case("three workers claimed it and died", _dead_workers),
}
"""One for each error type: a test and a page fail where one is missing."""
