"""An exporter in a process of its own, on a free port of the loopback. Not here: what it says (the tests)."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    """One that nobody listens on just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start_exporter(database_url: str, home: Path, port: int) -> subprocess.Popen[bytes]:
    """Returns once it answers."""
    environment = {**os.environ, "EMBEDDING_ASSETS_DATABASE_URL": database_url, "EMBEDDING_ASSETS_HOME": str(home)}
    program = str(Path(sys.executable).parent / "embedding-assets")
    process = subprocess.Popen([program, "metrics", "serve", "--port", str(port)], env=environment)
    until_it_answers(f"http://127.0.0.1:{port}/healthz")
    return process


@contextmanager
def exporter(database_url: str, folder: Path) -> Generator[tuple[subprocess.Popen[bytes], str], None, None]:
    """The process and where it listens; ended by SIGTERM."""
    port = free_port()
    process = start_exporter(database_url, folder, port)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def until_it_answers(url: str) -> None:
    """Whatever it answers.

    Raises:
        AssertionError: nobody does within a minute.
    """
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=10).close()
        except urllib.error.HTTPError:
            pass
        except OSError:
            assert time.monotonic() < deadline, url
            time.sleep(0.1)
            continue
        return
