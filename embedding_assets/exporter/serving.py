"""HTTP for the exporter: /metrics, /healthz, /readyz. Ends in order at SIGTERM.

Requests are answered by threads, the database is asked by the event loop. Not here: what is shown (collecting).
"""

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6

from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.exporter.collecting import Collecting
from embedding_assets.telemetry.exposition import encoded

_log = logging.getLogger(__name__)

# A scrape takes milliseconds and gives up by itself after eight seconds.
_ANSWER_SECONDS = 10.0
# Who connects and says nothing is let go; more at once than this are sent away.
_IDLE_SECONDS = 10.0
_AT_ONCE = 16


class PortTaken(EmbeddingAssetsError):
    """The exporter cannot listen there; the message says where and why."""


async def serve(collecting: Collecting, host: str, port: int, *, started: asyncio.Event | None = None) -> None:
    """Answer until SIGTERM or SIGINT.

    Raises:
        PortTaken: the address is in use, or not this machine's.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    with _listening(collecting, loop, host, port):
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        if started is not None:
            started.set()
        await ended.wait()


@contextmanager
def _listening(
    collecting: Collecting, loop: asyncio.AbstractEventLoop, host: str, port: int
) -> Generator[None, None, None]:
    try:
        server = _Server(collecting, loop, host, port)
    except OSError as error:
        message = f"the exporter cannot listen on {host} port {port} ({error.strerror}): choose another with --port"
        raise PortTaken(message) from None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, collecting: Collecting, loop: asyncio.AbstractEventLoop, host: str, port: int) -> None:
        self.address_family = AF_INET6 if ":" in host else AF_INET
        super().__init__((host, port), _Handler)
        self.collecting = collecting
        self.loop = loop
        self.places = threading.BoundedSemaphore(_AT_ONCE)


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] it is never another's
    timeout = _IDLE_SECONDS
    server_version = "embedding-assets"
    sys_version = ""

    def do_GET(self) -> None:
        if not self.server.places.acquire(blocking=False):
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "too many at once\n")
            return
        try:
            self._route(self.path.partition("?")[0])
        finally:
            self.server.places.release()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name is the base class's
        """A line for each scrape is nobody's news."""

    def _route(self, path: str) -> None:
        match path:
            case "/metrics":
                self._metrics()
            case "/healthz":
                self._answer(HTTPStatus.OK, "alive\n")
            case "/readyz":
                ready = self._snapshot_is_up()
                status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, "the database answers\n" if ready else "the database is away\n")
            case "/":
                self._answer(HTTPStatus.OK, "embedding-assets exporter: /metrics, /healthz, /readyz\n")
            case _:
                self._answer(HTTPStatus.NOT_FOUND, "not here: /metrics, /healthz, /readyz\n")

    def _metrics(self) -> None:
        asked = asyncio.run_coroutine_threadsafe(self.server.collecting.snapshot(), self.server.loop)
        try:
            snapshot = asked.result(_ANSWER_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever it is, Prometheus must see the target fail, not hang
            _log.error("a scrape failed: %s", type(error).__name__)
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, "this scrape failed; the exporter's log says more\n")
            return
        body, content_type = encoded(snapshot, self.headers.get("Accept", ""))
        self._send(HTTPStatus.OK, body, content_type)

    def _snapshot_is_up(self) -> bool:
        asked = asyncio.run_coroutine_threadsafe(self.server.collecting.snapshot(), self.server.loop)
        try:
            return asked.result(_ANSWER_SECONDS).is_up
        except Exception:  # noqa: BLE001 - as above
            return False

    def _answer(self, status: HTTPStatus, text: str) -> None:
        self._send(status, text.encode(), "text/plain; charset=utf-8")

    def _send(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        # Whoever went away before the answer has no use for it.
        with contextlib.suppress(ConnectionError, TimeoutError):
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
