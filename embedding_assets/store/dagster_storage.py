"""Reads Dagster's own storage, another database: heartbeats of its daemon, numbers a run recorded.

For the terminal, which must answer without the three seconds that importing Dagster takes. Nothing here writes.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, cast

import psycopg

from embedding_assets.store.database import translated_errors
from embedding_assets.store.queries import load_queries

_SQL = load_queries("dagster_storage")


@dataclass(frozen=True, slots=True)
class RecordedNumbers:
    """Numbers of one materialization or observation, by label; `asset` is the asset's key, joined by `/`."""

    asset: str
    numbers: Mapping[str, float]


def daemon_heartbeats(url: str) -> dict[str, datetime] | None:
    """The newest heartbeat of each daemon type; None where Dagster never stored anything.

    Raises:
        StoreError: `database_unavailable`.
    """
    with translated_errors(), psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        try:
            rows = connection.execute(_SQL["daemon_heartbeats"]).fetchall()
        except psycopg.errors.UndefinedTable:
            return None
    # Dagster stores UTC without a zone.
    return {kind: at.replace(tzinfo=timezone.utc) for kind, at in rows}


def recorded_numbers(url: str, *, tag: str, value: str) -> list[RecordedNumbers]:
    """What runs with this tag recorded, in order; empty where there is no such run.

    Raises:
        StoreError: `database_unavailable`.
    """
    with translated_errors(), psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        try:
            rows = connection.execute(_SQL["recorded_numbers"], {"tag": tag, "value": value}).fetchall()
        except psycopg.errors.UndefinedTable:
            return []
    return [_numbers(json.loads(row[0])) for row in rows]


def _numbers(entry: Mapping[str, Any]) -> RecordedNumbers:
    """From Dagster's serialized event: `{"dagster_event": {"event_specific_data": {"materialization": {…}}}}`."""
    data = cast("Mapping[str, Any]", entry["dagster_event"]["event_specific_data"])
    recorded = data.get("materialization") or data.get("asset_observation") or {}
    path = cast("list[str]", (recorded.get("asset_key") or {}).get("path", []))
    return RecordedNumbers("/".join(path), dict(_labelled(recorded.get("metadata_entries") or [])))


def _labelled(entries: list[Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    for entry in entries:
        value = (entry.get("entry_data") or {}).get("value")
        if isinstance(value, int | float):
            yield str(entry["label"]), float(value)
