"""Short read-only transactions in somebody else's PostgreSQL, each within a time of its own; its errors as a source's.

Not here: what is read (foreign_tables), and our own database (database). Blocking, for threads.
"""

import contextlib
import os
import queue
import socket
import threading
from collections.abc import Callable, Generator
from typing import TypeAlias, TypeVar

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.domain.redaction import redacted
from embedding_assets.store.queries import load_queries

_SQL = load_queries("foreign_sessions")

Session: TypeAlias = Connection[TupleRow]
T = TypeVar("T")

_CONNECT_SECONDS = 10
# The server ends a statement by itself; where it has gone silent, the connection is cut so much later.
_GRACE_SECONDS = 5.0
_IDLE_CONNECTIONS = 8
# Of a statement that met a deadlock, or a standby that had to take its snapshot away.
_TRIES = 3
_IN_THE_WAY = ("40001", "40P01", "55P03")
_NO_VALUE = ("22P02", "22003")
_NO_TEXT = ("22021", "22P05")


class ReadTooSlow(SourceError):
    """The statement was ended by its own time limit: a smaller one may pass."""


class ValueRefused(SourceError):
    """A text that was given is no value of the type it was cast to."""


class ForeignSessions:
    """Connections to one database, kept while they are good. Safe to use from several threads.

    `url` is asked at each connection, for it may not be there when this is built; `named` is where it comes from, for messages.
    """

    def __init__(self, url: Callable[[], str], *, named: str) -> None:
        self._url = url
        self._named = named
        self._idle: queue.LifoQueue[Session] = queue.LifoQueue(_IDLE_CONNECTIONS)

    def run(self, work: Callable[[Session], T], *, seconds: float, what: str) -> T:
        """What `work` returns, in one read-only transaction whose statements take at most `seconds` each.

        Raises:
            ReadTooSlow, ValueRefused: `source_unreadable`.
            SourceError: `root_unavailable`; `source_unreadable` where another try may pass, `undecodable` for bytes that are no
                text. `what` was to be read.
        """
        tries = 0
        while True:
            session, reused = self._take(what)
            try:
                found = _within(session, work, seconds)
            except (psycopg.Error, UnicodeDecodeError) as error:
                lost = session.broken or session.closed
                session.close()
                tries += 1
                if lost and reused:
                    # The server was restarted: what else is kept is gone too.
                    self.close()
                elif not (_state(error) in _IN_THE_WAY and tries < _TRIES):
                    raise self._translated(error, what) from None
            else:
                self._keep(session)
                return found

    def close(self) -> None:
        """Close what is kept; whatever is asked afterwards connects anew."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def _take(self, what: str) -> tuple[Session, bool]:
        with contextlib.suppress(queue.Empty):
            return self._idle.get_nowait(), True
        url = self._url()
        try:
            session = psycopg.connect(
                url,
                autocommit=True,
                connect_timeout=_CONNECT_SECONDS,
                application_name="embedding-assets source",
                client_encoding="utf8",
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                # A pooler gives each transaction another server: nothing may stay prepared.
                prepare_threshold=None,
            )
        except psycopg.Error as error:
            raise self._translated(error, what) from None
        session.read_only = True
        return session, False

    def _keep(self, session: Session) -> None:
        try:
            self._idle.put_nowait(session)
        except queue.Full:
            session.close()

    def _translated(self, error: psycopg.Error | UnicodeDecodeError, what: str) -> SourceError:
        if isinstance(error, UnicodeDecodeError) or error.sqlstate in _NO_TEXT:
            message = f"{what} holds bytes that are no UTF-8: correct the row, or the encoding of its database"
            return SourceError(ErrorType.UNDECODABLE, message)
        state, text = _state(error), _primary(error)
        if state == "57014":
            return ReadTooSlow(
                ErrorType.SOURCE_UNREADABLE, f"reading {what} took too long; is there an index on its key?"
            )
        if state in _NO_VALUE:
            return ValueRefused(ErrorType.SOURCE_UNREADABLE, f"cannot read {what}: {text}")
        if state in _IN_THE_WAY:
            return SourceError(ErrorType.SOURCE_UNREADABLE, f"cannot read {what} just now: {text}")
        message = (
            f"cannot read {what} ({text}); see whether {self._named} is the right database, it answers, and its role may "
            "read this table"
        )
        return SourceError(ErrorType.ROOT_UNAVAILABLE, message)


def _within(session: Session, work: Callable[[Session], T], seconds: float) -> T:
    values = {"milliseconds": str(int(seconds * 1000))}
    with _cut_after(session, seconds + _GRACE_SECONDS), session.transaction():
        session.execute(_SQL["bound"], values)
        return work(session)


@contextlib.contextmanager
def _cut_after(session: Session, seconds: float) -> Generator[None, None, None]:
    """Shut the connection when the time is over: a server that hangs enforces no time limit, and libpq waits for ever."""
    timer = threading.Timer(seconds, _shut, [session])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shut(session: Session) -> None:
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(session.fileno())) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def _state(error: Exception) -> str:
    return (isinstance(error, psycopg.Error) and error.sqlstate) or ""


def _primary(error: psycopg.Error) -> str:
    """The server's own short sentence. Not its DETAIL, which quotes rows."""
    text = error.diag.message_primary or str(error).strip().partition("\n")[0] or "no connection"
    return redacted(f"{text} ({error.sqlstate})" if error.sqlstate else text)
