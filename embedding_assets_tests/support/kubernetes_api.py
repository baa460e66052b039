"""A Kubernetes API on loopback that takes Jobs and keeps them: enough for a launcher to be watched. It schedules nothing."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class KubernetesApi:
    """`posted` are the bodies by path, in order."""

    url: str
    posted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def write_kubeconfig(self, file: Path) -> Path:
        """For clients: this server, and nobody in particular."""
        named: dict[str, Any] = {
            "cluster": {"server": self.url},
            "user": {},
            "context": {"cluster": "here", "user": "here"},
        }
        lists = {f"{key}s": [{"name": "here", key: value}] for key, value in named.items()}
        file.write_text(yaml.safe_dump({"current-context": "here", **lists}), encoding="utf-8")
        return file


@contextmanager
def kubernetes_api() -> Generator[KubernetesApi, None, None]:
    """Serves until the end of the block."""
    found: list[KubernetesApi] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found[0].posted.append((self.path, body))
            answer = json.dumps(body).encode()
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.append(KubernetesApi(f"http://127.0.0.1:{server.server_port}"))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
