"""The simulated provider's socket: one uvicorn server, in this thread or in one of its own.

Not here: what it answers (app), how tests talk to it (control).
"""

import socket
import struct
import threading

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from embedding_assets_tests.simulator.app import ProviderApp

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of zero seconds: closing sends RST instead of FIN
_STOP_SECONDS = 10.0


class SimulatorServer:
    """A server listening on loopback from its construction on; port 0 takes a free one."""

    def __init__(self, port: int, dimensions: int) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        app = ProviderApp(dimensions, self._cut_connection)
        config = uvicorn.Config(app.asgi, http=H11Protocol, ws="none", lifespan="off", log_level="critical")
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:PORT`, without the protocol's `/v1`."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def run(self) -> None:
        """Serve until told to stop."""
        self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """Serve in a thread; connections are accepted at once."""
        self._thread = threading.Thread(target=self.run, name="simulator", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, dropping requests in progress."""
        self._server.should_exit = True
        self._server.force_exit = True
        if self._thread:
            self._thread.join(_STOP_SECONDS)
        self._socket.close()

    def _cut_connection(self, client: tuple[str, int]) -> None:
        for connection in self._server.server_state.connections:
            if isinstance(connection, H11Protocol) and connection.client == client:
                raw: socket.socket = connection.transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                connection.transport.abort()
                return
