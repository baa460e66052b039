"""The other program on the provider's key: a chat, say. It reserves by SQL as any program can, and sends when granted.

Not here: our own workers.
"""

import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import psycopg

from embedding_assets_tests.soak.scenarios import LIMIT, NEIGHBOUR

NEIGHBOUR_MODEL = "neighbour"
_LONGEST_WAIT_SECONDS = 5.0
# What it could not send is still wanted, but not for longer than this.
_PATIENCE_SECONDS = 60.0
_SENDERS = 16


def take(database_url: str, api_base: str, per_minute: int) -> None:
    """Steadily so much, for ever; what was refused is made up for when there is room."""
    request = urllib.request.Request(
        f"{api_base}/embeddings", json.dumps({"model": NEIGHBOUR_MODEL, "input": ["A question."]}).encode()
    )
    step = 60 / per_minute
    due = time.monotonic()
    with psycopg.connect(database_url, autocommit=True) as connection, ThreadPoolExecutor(_SENDERS) as senders:
        while True:
            if wait := _reserve(connection):
                time.sleep(min(wait, _LONGEST_WAIT_SECONDS))
                continue
            senders.submit(_send, request)
            due = max(due + step, time.monotonic() - _PATIENCE_SECONDS)
            time.sleep(max(0.0, due - time.monotonic()))


def _reserve(connection: "psycopg.Connection[tuple[float]]") -> float:
    """0.0 when granted, else when to ask again."""
    row = connection.execute(
        "CALL embedding_assets.reserve(%s, %s, 'live', 1, 1, 4, NULL)", [LIMIT, NEIGHBOUR]
    ).fetchone()
    assert row is not None
    return row[0]


def _send(request: urllib.request.Request) -> None:
    """Its answer is of no interest here: the provider counts them."""
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            response.read()
    except urllib.error.HTTPError as error:
        error.close()
