"""What the doctor finds, as values: verdict, sentence, what to do. Judges facts it is given; looks nothing up itself."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

from embedding_assets.cli.rendering import counted
from embedding_assets.domain.explanation import duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from embedding_assets.domain.circuits import OpenCircuit
    from embedding_assets.store.inspection import ServerFacts
    from embedding_assets.store.work_queue import QueueDepth

# 14 has SQL-standard function bodies, which the schema is written with; 0.8 of pgvector has iterative scans, which
# filtered search needs.
_POSTGRES = (14,)
_PGVECTOR = (0, 8)
# Dagster's daemon writes a heartbeat every 30 s and calls itself dead after 300 s.
_HEARTBEAT_SECONDS = 300.0


class Verdict(str, Enum):
    """How bad it is; the value is what is printed."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `advice` is empty when nothing is to be done."""

    check: str
    verdict: Verdict
    found: str
    advice: str = ""


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, Verdict.OK, found)


def warning(check: str, found: str, advice: str) -> Finding:
    """It works, and somebody should look."""
    return Finding(check, Verdict.WARN, found, advice)


def failure(check: str, found: str, advice: str) -> Finding:
    """It does not work until this is done."""
    return Finding(check, Verdict.FAIL, found, advice)


def judge_variables(unknown: "Mapping[str, str | None]") -> list[Finding]:
    """Misspelt settings, each with the one that was probably meant: nothing reads them."""
    return [
        warning("settings", f"{name} is no setting: nothing reads it", f"did you mean {near}?" if near else "unset it")
        for name, near in unknown.items()
    ]


def judge_server(facts: "ServerFacts") -> list[Finding]:
    """PostgreSQL's version and pgvector's."""
    findings = [ok("database", f"PostgreSQL {facts.version} as role {facts.role}")]
    if _version(facts.version) < _POSTGRES:
        findings = [failure("database", f"PostgreSQL {facts.version}", "upgrade the server to PostgreSQL 14 or later")]
    if facts.vector_version is None:
        advice = "run: embedding-assets migrate, which creates it; the server needs pgvector 0.8 or later installed"
        return [*findings, failure("pgvector", "the extension is not in this database", advice)]
    if _version(facts.vector_version) < _PGVECTOR:
        advice = "install pgvector 0.8 or later, then: ALTER EXTENSION vector UPDATE"
        return [*findings, failure("pgvector", f"version {facts.vector_version}", advice)]
    return [*findings, ok("pgvector", f"version {facts.vector_version}")]


def judge_rights(missing: "Sequence[str]", role: str) -> Finding:
    """Whether the role may read and write our tables."""
    if not missing:
        return ok("rights", f"{role} may read and write every table")
    shown = ", ".join(missing[:5]) + (" and others" if len(missing) > 5 else "")
    advice = f"as the owner: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA embedding_assets TO {role}"
    return failure("rights", f"{role} may not read and write {shown}", advice)


def judge_connections(facts: "ServerFacts", pool_size: int) -> Finding:
    """Whether one more process of ours finds its connections."""
    free = facts.max_connections - facts.connections
    found = f"{facts.connections} of {facts.max_connections} in use, a process of ours takes up to {pool_size}"
    if free < pool_size:
        return failure("connections", found, "raise max_connections, or lower EMBEDDING_ASSETS_POOL_SIZE")
    if free < 3 * pool_size:
        return warning(
            "connections",
            found,
            "three processes at once would not fit: raise max_connections or put a pooler before it",
        )
    return ok("connections", found)


def judge_queue(depths: "Sequence[QueueDepth]", collection: str, freshness_seconds: float) -> Finding:
    """The oldest item of the live lane against half of the promise."""
    live = [depth for depth in depths if depth.collection == collection and depth.lane == "live"]
    waiting = sum(depth.documents for depth in depths if depth.collection == collection)
    oldest = max((depth.oldest_seconds for depth in live), default=0.0)
    name = f"{collection}: queue"
    if oldest > freshness_seconds / 2:
        found = f"the oldest live change waits for {duration(oldest)}, more than half of {duration(freshness_seconds)}"
        return warning(name, found, f"start Dagster (embedding-assets up) or run: embedding-assets run {collection}")
    return ok(name, f"{counted(waiting, 'document')} in it, none of them late" if waiting else "empty")


def judge_circuit(check: str, circuit: "OpenCircuit | None", collection: str) -> Finding:
    """Whether documents wait because of what some worker met."""
    if circuit is None:
        return ok(check, "none is open")
    advice = f"it ends by itself when a probe passes; to probe now: embedding-assets run {collection}"
    return warning(check, circuit.sentence, advice)


def judge_withheld(check: str, withheld: int, collection: str) -> Finding:
    """Whether the last listing lacked so many documents that nobody believed it."""
    if not withheld:
        return ok(check, "none withheld")
    found = f"{counted(withheld, 'document')} of the listing before are gone at once, and stay searchable"
    advice = f"mend the source, or if they are meant: embedding-assets sync {collection} --confirm-deletions"
    return warning(check, found, advice)


def judge_heartbeats(beats: "Mapping[str, datetime] | None", now: datetime) -> Finding:
    """Whether Dagster's daemon is alive; a person may do without it, so nothing here is a failure."""
    advice = "nothing is polled or processed by itself: embedding-assets up"
    if not beats:
        return warning("dagster daemon", "it never ran against this database", advice)
    age = (now - max(beats.values())).total_seconds()
    if age > _HEARTBEAT_SECONDS:
        return warning("dagster daemon", f"its last heartbeat is {duration(age)} old", advice)
    return ok("dagster daemon", f"heartbeat {duration(age)} ago")


def judge_price(check: str, *, model: str, local: bool, configured: float | None, cost_usd: float | None) -> Finding:
    """Whether what is spent can be counted."""
    if local:
        return ok(check, "runs in this process: costs nothing")
    if configured is not None:
        return ok(check, f"{configured:g} USD per million tokens, from the collections file")
    if cost_usd is not None:
        return ok(check, f"known to LiteLLM for {model}")
    return warning(
        check, f"unknown for {model}: budgets cannot hold", "set usd_per_million_tokens of the model in the file"
    )


def judge_build(check: str, building: str, collection: str) -> Finding:
    """A change of the model that waits for somebody."""
    found = f"{building} is being built, and search answers from the one before it until it holds everything"
    return warning(check, found, f"to go on with it: embedding-assets reembed {collection}")


def judge_limit(check: str, *, limit: str | None, local: bool) -> Finding:
    """Whether the provider is protected from us."""
    if limit is not None:
        return ok(check, limit)
    if local:
        return ok(check, "none needed: the model runs in this process")
    return warning(
        check, "none: only the provider's own 429 holds us back", "add a [limits] table and name it in `limit`"
    )


def _version(text: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for part in text.split(maxsplit=1)[0].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
