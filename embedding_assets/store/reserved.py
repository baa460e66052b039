"""One connection kept for itself, for whoever only looks: a pool would hand it out, and a burst would take it.

Not here: the pool of runs (database), the questions (metric_readings).
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection

from embedding_assets.store.database import Tx, translated_errors

_CONNECT_SECONDS = 5


class ReservedConnection:
    """It is made at the first question, kept, and made again when it was lost. One question at a time; reads only."""

    def __init__(self, url: str, *, application_name: str) -> None:
        self._url = url
        self._application_name = application_name
        self._connection: Tx | None = None

    @asynccontextmanager
    async def transaction(self, *, seconds: float) -> AsyncGenerator[Tx, None]:
        """One transaction whose statements take no longer than this.

        Raises:
            StoreError: the database is away, or a statement took too long.
        """
        with translated_errors():
            connection = await self._connected()
            async with connection.transaction():
                await connection.execute("SELECT set_config('statement_timeout', %s, true)", [f"{int(seconds * 1000)}"])
                yield connection

    async def close(self) -> None:
        """Give it back; a question after that makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connected(self) -> Tx:
        if self._connection is None or self._connection.closed:
            self._connection = await AsyncConnection.connect(
                self._url,
                autocommit=True,
                connect_timeout=_CONNECT_SECONDS,
                application_name=self._application_name,
                options="-c default_transaction_read_only=on",
                prepare_threshold=None,
                tcp_user_timeout=_CONNECT_SECONDS * 1000,
            )
        return self._connection
