"""A provider on loopback that speaks the embedding protocols of seven clouds, and says to any request what it is told to say.

Not here: the words of each provider's errors (wordings), the simulator, which fails on certain inputs only.
"""

import base64
import json
import socket
import socketserver
import struct
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from typing_extensions import Self

from embedding_assets_tests.simulator import expected_vector

DIMENSIONS = 4
RESET, SILENCE = "reset", "silence"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_SILENT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: a body that is text is a web page, any other is JSON."""

    status: int
    body: object
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class LoopbackProvider:
    """Runs for the length of a `with` block. `says` is its answer to all (None: an honest reply), `paths` what it was asked."""

    def __init__(self) -> None:
        self.says: Said | str | None = None
        self.paths: list[str] = []
        self.over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.provider = self
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    provider: LoopbackProvider
    daemon_threads = True

    def server_bind(self) -> None:
        """Without asking what this machine is called, as its base class does: no name is looked up in these tests."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/token":
            # Google's library fetches one before the first request; it is no request to the model.
            self._answer(Said(200, {"access_token": "any", "expires_in": 3600, "token_type": "Bearer"}))
            return
        provider = self.server.provider
        provider.paths.append(self.path)
        if isinstance(provider.says, str):
            self._fail(provider.says)
        else:
            self._answer(provider.says or Said(200, honest_reply(self.path, json.loads(asked))))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Nothing is printed."""

    def _answer(self, said: Said) -> None:
        page = isinstance(said.body, str)
        body = str(said.body).encode() if page else json.dumps(said.body).encode()
        self.send_response(said.status)
        kind = "text/html" if page else "application/json"
        for name, value in {"content-type": kind, **said.headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _fail(self, how: str) -> None:
        if how == SILENCE:
            self.server.provider.over.wait(_SILENT_SECONDS)
        else:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.connection.close()
        self.close_connection = True


def honest_reply(path: str, asked: Mapping[str, Any]) -> object:
    """What the provider whose path this is answers to these inputs."""
    if path.endswith(":predict"):
        vectors = _vectors(instance["content"] for instance in asked["instances"])
        return {"predictions": [{"embeddings": {"values": v, "statistics": {"token_count": 3}}} for v in vectors]}
    if path.endswith("/invoke"):
        return {"embeddings": _vectors(asked["texts"]), "response_type": "embeddings_floats"}
    if path.endswith("/v2/embed"):
        [kind] = asked["embedding_types"]
        return {"embeddings": {kind: _vectors(asked["texts"], kind)}, "meta": {"billed_units": {"input_tokens": 3}}}
    if path.endswith("/api/embed"):
        return {"embeddings": _vectors(asked["input"]), "prompt_eval_count": 3}
    vectors = _vectors(asked["input"], asked.get("encoding_format", "float"))
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return {"object": "list", "data": data, "model": "any", "usage": {"prompt_tokens": 3, "total_tokens": 3}}


def _vectors(texts: Iterable[str], encoding: str = "float") -> list[object]:
    vectors = [expected_vector(text, DIMENSIONS) for text in texts]
    if encoding == "base64":
        return [base64.b64encode(vector.astype("<f4").tobytes()).decode() for vector in vectors]
    return [vector.tolist() for vector in vectors]
