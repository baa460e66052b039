"""`up` and `down` with Dagster's real programs: the web page is bound to loopback, and both end."""

import inspect
import socket
from pathlib import Path

import pytest

from embedding_assets.cli import serving
from embedding_assets_tests.cli.conftest import Project

_LISTENING = "0A"
_LOOPBACK = "0100007F"


def test_the_web_page_is_on_loopback_unless_somebody_says_otherwise() -> None:
    assert inspect.signature(serving.up).parameters["host"].default == "127.0.0.1"


@pytest.mark.slow
@pytest.mark.long
def test_up_listens_on_loopback_alone_and_down_ends_it(
    applied: Project, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDING_ASSETS_DAGSTER_DATABASE_URL", empty_database_url)
    port = _free_port()
    try:
        started = applied.call("up", "--port", str(port))
        assert (started.code, started.out.startswith(f"up: http://127.0.0.1:{port}")) == (0, True), started.err
        assert _listening(port) == {_LOOPBACK}
        again = applied.call("up", "--port", str(port))
        assert again.out == f"already up: http://127.0.0.1:{port}\n"
    finally:
        ended = applied.call("down")
    assert ended.out == "stopped: webserver, daemon\n"
    assert _listening(port) == set()


def _listening(port: int) -> set[str]:
    """Addresses on which somebody listens at this port, as the system writes them; IPv6 too."""
    found: set[str] = set()
    for file in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(file).read_text(encoding="ascii").splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, _, number = local.partition(":")
            if state == _LISTENING and int(number, 16) == port:
                found.add(address)
    return found


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
