"""The faults that are played to real servers, each with the alert that must come of it, and no other.

Not here: servers and load around a fault, and who watches (stage).
"""

import contextlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import psycopg

from embedding_assets_tests.ops.load import Load, be_slow_as_usual, change_documents, working
from embedding_assets_tests.simulator import FaultKind
from embedding_assets_tests.soak.processes import troupe

# Of a hundred connections: what stays free is not enough for two workers.
_LEFT_FREE = 2


@dataclass(slots=True)
class Play:
    """A load with its workers, and what a fault holds while it lasts."""

    load: Load
    workers: ExitStack
    held: ExitStack = field(default_factory=ExitStack)


@dataclass(frozen=True, slots=True)
class Scenario:
    """`begin` brings the fault about, `end` takes it away. The limit binds only where it is the matter."""

    name: str
    says: str
    alert: str
    begin: Callable[[Play], None]
    end: Callable[[Play], None]
    requests_per_minute: int = 6000


def _answer_503(play: Play) -> None:
    play.load.provider.reset()
    play.load.provider.fault(FaultKind.STATUS, status=503)


def _answer_nan(play: Play) -> None:
    play.load.provider.reset()
    play.load.provider.fault(FaultKind.NAN)


def _answer_again(play: Play) -> None:
    be_slow_as_usual(play.load.provider)


def _change_much(play: Play) -> None:
    change_documents(play.held.enter_context(troupe()), play.load, per_minute=120)


def _let_go(play: Play) -> None:
    play.held.close()


def _take_connections(play: Play) -> None:
    """Somebody else's application with a leak; what workers and exporter hold they keep."""
    taken = [psycopg.connect(play.load.database_url, application_name="leaking")]
    with contextlib.suppress(psycopg.OperationalError):
        while True:
            taken.append(psycopg.connect(play.load.database_url, application_name="leaking"))
    for connection in taken[:_LEFT_FREE]:
        connection.close()
    for connection in taken[_LEFT_FREE:]:
        play.held.callback(connection.close)


def _freeze(play: Play) -> None:
    play.workers.close()


def _thaw(play: Play) -> None:
    play.workers.enter_context(working(play.load))


SCENARIOS = (
    Scenario(
        "silent-backpressure",
        "the limit lets sixty requests a minute pass, a hundred and fifty documents change, and nothing errors",
        "EmbeddingSilentBackpressure",
        _change_much,
        _let_go,
        requests_per_minute=60,
    ),
    Scenario("provider-down", "the provider answers 503", "EmbeddingProviderDown", _answer_503, _answer_again),
    Scenario(
        "connections-exhausted",
        "another application takes all but two of PostgreSQL's connections",
        "EmbeddingDatabaseConnectionsExhausted",
        _take_connections,
        _let_go,
    ),
    Scenario(
        "nan-replies", "every vector that comes back is not a number", "EmbeddingBadVectors", _answer_nan, _answer_again
    ),
    Scenario("frozen-queue", "no run works the queue any more", "EmbeddingNoRunSucceeding", _freeze, _thaw),
)
