"""What is said of one document: where it is, why, and what comes next. Pure wording and the decision behind it.

Not here: reading a document's rows (store/inspection) or printing the answer (cli/inspecting).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from typing_extensions import assert_never

from embedding_assets.domain.documents import shard_name


@dataclass(frozen=True, slots=True)
class DocumentState:
    """Everything known of one key of one collection; None where there is no such row."""

    listed: bool
    arrived: bool
    shard: int
    version: int | None
    title: str | None
    uri: str | None
    characters: int | None
    deleted_at: datetime | None
    published_at: datetime | None
    chunks: int | None
    stale: bool | None
    lane: str | None
    first_enqueued_at: datetime | None
    available_at: datetime | None
    lease_owner: str | None
    lost_claims: int | None
    lease_expired: bool | None
    due_from: datetime | None
    deadline: datetime | None
    overdue: bool | None
    status: str | None
    error_type: str | None
    reason: str | None
    attempts: int | None
    next_retry_at: datetime | None
    last_failed_at: datetime | None


class Place(str, Enum):
    """Where a document is; the value is what a program reads."""

    UNKNOWN = "unknown"
    ARRIVED = "arrived"
    WAITING = "waiting"
    IN_WORK = "in_work"
    LOST = "lost"
    RETRYING = "retrying"
    ESCALATED = "escalated"
    PUBLISHED = "published"
    STALE = "stale"
    DELETED = "deleted"
    UNTOUCHED = "untouched"


_QUEUED = frozenset({Place.ARRIVED, Place.WAITING, Place.LOST})


@dataclass(frozen=True, slots=True)
class Explanation:
    """Three sentences about a document; `next` names the command where a person has to do something."""

    place: Place
    where: str
    why: str
    next: str


def place_of(state: DocumentState) -> Place:
    """Where the document is. Work under way comes before what became of it last time."""
    if state.lease_owner is not None:
        return Place.LOST if state.lease_expired else Place.IN_WORK
    if state.first_enqueued_at is not None:
        return Place.WAITING
    if state.arrived:
        return Place.ARRIVED
    if state.status in ("retrying", "escalated"):
        return Place.RETRYING if state.status == "retrying" else Place.ESCALATED
    if state.published_at is not None:
        return Place.STALE if state.stale else Place.PUBLISHED
    if state.deleted_at is not None:
        return Place.DELETED
    return Place.UNTOUCHED if state.listed else Place.UNKNOWN


def explain(state: DocumentState, *, collection: str, now: datetime, stopped: str = "") -> Explanation:
    """Say it in sentences; `now` is the server's clock, `stopped` why nobody claims from this collection."""
    place = place_of(state)
    why, what_next = _why(place, state, now), _next(place, state, collection, now)
    if stopped and place in _QUEUED:
        why = f"{why}; but {stopped}"
        what_next = (
            "a run takes it when a probe has passed; "
            f"to probe now: embedding-assets run {collection} --shards {shard_name(state.shard)}"
        )
    return Explanation(place, _where(place, state, now), why, what_next)


def duration(seconds: float) -> str:
    """A span of time in its two largest units: `12 s`, `5 min`, `2 h 5 min`, `3 d 4 h`."""
    whole = max(0, round(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 60:
        return f"{whole} s"
    if minutes < 60:
        return f"{minutes} min"
    large, small = (f"{hours} h", f"{minutes % 60} min") if hours < 24 else (f"{days} d", f"{hours % 24} h")
    return large if small.startswith("0 ") else f"{large} {small}"


def _where(place: Place, state: DocumentState, now: datetime) -> str:
    match place:
        case Place.UNKNOWN:
            return "not known: no poll has listed it, and nothing is stored of it"
        case Place.ARRIVED | Place.WAITING:
            return (
                f"in the queue of shard {shard_name(state.shard)}{_lane(state)}{_waited(state, now)}{_visible(state)}"
            )
        case Place.IN_WORK:
            return f"being processed by {state.lease_owner}, which holds it until {_time(state.available_at)}{_visible(state)}"
        case Place.LOST:
            return f"in the queue of shard {shard_name(state.shard)}: {state.lease_owner} took it and did not end it"
        case Place.RETRYING:
            return f"failed {_times(state.attempts)}, waiting for its next try{_visible(state)}"
        case Place.ESCALATED:
            return f"failed {_times(state.attempts)} and given up{_visible(state)}"
        case Place.PUBLISHED | Place.STALE:
            return (
                f"published and searchable since {_time(state.published_at)}: "
                f"version {state.version}, {state.chunks} {'chunk' if state.chunks == 1 else 'chunks'}"
            )
        case Place.DELETED:
            return f"deleted {_time(state.deleted_at)}: search does not show it and its text is gone"
        case Place.UNTOUCHED:
            return "listed by the source, but neither queued nor published"
    assert_never(place)


def _why(place: Place, state: DocumentState, now: datetime) -> str:
    match place:
        case Place.UNKNOWN:
            return "the key is spelled otherwise, the source's rules exclude it, or it is newer than the last poll"
        case Place.ARRIVED | Place.WAITING | Place.IN_WORK:
            return _change(state, now)
        case Place.LOST:
            return (
                f"the worker was killed or hung; workers lost with this document before that: {state.lost_claims or 0}"
            )
        case Place.RETRYING | Place.ESCALATED:
            return f"{state.error_type}: {state.reason}"
        case Place.PUBLISHED:
            return "it is what the source held when it last changed"
        case Place.STALE:
            return "the collection's chunking was changed since; the published version was cut the old way"
        case Place.DELETED:
            return "fetching it said definitely that the source no longer has it"
        case Place.UNTOUCHED:
            return "its failure was dismissed by a person, or the queue was emptied by hand"
    assert_never(place)


def _next(place: Place, state: DocumentState, collection: str, now: datetime) -> str:
    shard = shard_name(state.shard)
    match place:
        case Place.UNKNOWN:
            return f"poll the source: embedding-assets sync {collection}"
        case Place.ARRIVED | Place.WAITING | Place.LOST:
            return f"the next run takes it; to run now: embedding-assets run {collection} --shards {shard}"
        case Place.IN_WORK:
            return "it is published, released or failed before then; if its worker dies, another takes it over"
        case Place.RETRYING:
            return f"it is tried again {_when(state.next_retry_at, now)}"
        case Place.ESCALATED:
            return (
                "nothing by itself: correct the document at its source and the next poll starts afresh, "
                f"or try the same content again: embedding-assets run {collection} --shards {shard} --force"
            )
        case Place.PUBLISHED:
            return "nothing to do: it is read again when the source says it changed"
        case Place.STALE:
            return (
                f"it is searchable meanwhile; cut it anew: embedding-assets run {collection} --shards {shard} --force"
            )
        case Place.DELETED:
            return "nothing to do: if the source lists it again, it is published again"
        case Place.UNTOUCHED:
            return f"look at it again: embedding-assets run {collection} --shards {shard} --force"
    assert_never(place)


def _change(state: DocumentState, now: datetime) -> str:
    if state.due_from is None:
        return "no live change: initial load, retry, repair or re-embedding, which carry no freshness promise"
    lag = duration((now - state.due_from).total_seconds())
    promise = (
        f"it was due {_time(state.deadline)}: OVERDUE" if state.overdue else f"promised by {_time(state.deadline)}"
    )
    return f"it changed at the source {_time(state.due_from)}, {lag} ago; {promise}"


def _visible(state: DocumentState) -> str:
    return "; search shows the version before" if state.published_at is not None else "; search does not show it yet"


def _lane(state: DocumentState) -> str:
    return f", lane {state.lane}" if state.lane else ""


def _waited(state: DocumentState, now: datetime) -> str:
    if state.first_enqueued_at is None:
        return ", arrived just now"
    return f", for {duration((now - state.first_enqueued_at).total_seconds())}"


def _when(moment: datetime | None, now: datetime) -> str:
    if moment is None or moment <= now:
        return "with the next run: it is due"
    return f"{_time(moment)}, in {duration((moment - now).total_seconds())}"


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S %Z").rstrip() if moment is not None else "at an unknown time"


def _times(count: int | None) -> str:
    return "once" if count == 1 else f"{count or 0} times"
