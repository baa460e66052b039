"""Between a worker and PostgreSQL: a TCP port of the loopback that hands on bytes, until it cuts every connection at once.

A cut is a reset (RST), as a firewall or a crashed pooler gives it: the worker does not know whether its last statement
was carried out. Not here: a server that restarts (restarting_server).
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Generator
from pathlib import Path

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_CHUNK = 65_536


class CuttingProxy:
    """Hands connections on to a Unix socket, in an event loop of its own thread. `cuts` counts connections that were cut."""

    def __init__(self, server_socket: Path) -> None:
        self._server_socket = str(server_socket)
        self._loop = asyncio.new_event_loop()
        self._ends: set[asyncio.StreamWriter] = set()
        self._started = threading.Event()
        self._over = asyncio.Event()
        self._port = 0
        self.cuts = 0

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return self._port

    def cut(self) -> None:
        """Reset every connection of this moment; new ones are taken."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    def run(self) -> None:
        """Until it is told to stop; for a thread of its own."""
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    def wait_until_started(self) -> None:
        """Return once it listens."""
        assert self._started.wait(10)

    def stop(self) -> None:
        """Cut everything and take no more."""
        self._loop.call_soon_threadsafe(self._over.set)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._hand_on, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._over.wait()
        server.close()
        await self._cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    async def _cut(self) -> None:
        ends, self._ends = self._ends, set()
        for end in ends:
            end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            end.transport.abort()
        self.cuts += len(ends)

    async def _hand_on(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        with contextlib.closing(to_client), contextlib.suppress(OSError):
            # A server that is away refuses here: so the client is told.
            from_server, to_server = await asyncio.open_unix_connection(self._server_socket)
            with contextlib.closing(to_server):
                self._ends.add(to_client)
                await asyncio.wait(
                    [
                        asyncio.create_task(_copy(from_client, to_server)),
                        asyncio.create_task(_copy(from_server, to_client)),
                    ],
                    return_when=asyncio.FIRST_COMPLETED,
                )
                self._ends.discard(to_client)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(_CHUNK):
            target.write(data)
            await target.drain()


@contextlib.contextmanager
def cutting_proxy(server_socket: Path) -> Generator[CuttingProxy, None, None]:
    """A proxy at work, closed at the end."""
    proxy = CuttingProxy(server_socket)
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    proxy.wait_until_started()
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join(timeout=10)
