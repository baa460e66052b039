"""A webhook on the loopback address that keeps what it was told and answers, hangs or redirects as a test wants."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from typing_extensions import Self


class Webhook:
    """Answers with `status` on any path; with `hangs` it reads the request and says nothing until the end."""

    def __init__(self) -> None:
        self.status = 200
        self.hangs = False
        self.told: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Where it listens; the path and query are like those that chat systems give out."""
        return f"http://127.0.0.1:{self._server.server_port}/services/s3cr3t?key=s3cr3t"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """One request."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        if self.hangs:
            self._released.wait(30)
            return
        if handler.command == "POST":
            self.told.append(json.loads(body))
            self.headers.append(dict(handler.headers))
        handler.send_response(self.status)
        if 300 <= self.status < 400:
            handler.send_header("Location", "/elsewhere")
            # Whoever follows finds a page that says yes to everything.
            self.status = 200
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()


def _handler(webhook: Webhook) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            webhook.answer(self)

        def do_GET(self) -> None:
            webhook.answer(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            del format, args

    return Handler
