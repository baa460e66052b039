"""Several runs of one collection at once, in a Dagster with nothing configured: SQLite, default launcher, default coordinator.

No setting of Dagster's keeps them apart there. The leases of shards do.
"""

from collections import Counter
from pathlib import Path

import psycopg
import pytest

from embedding_assets.domain.launches import KEY_TAG
from embedding_assets.providers.dagster_runs import DagsterRuns
from embedding_assets.providers.dagster_webserver import DagsterWebserver
from embedding_assets_tests.simulator import FaultKind
from embedding_assets_tests.support.dagster_servers import DagsterServers, dagster_servers, ended, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.long]

_DOCUMENTS = 400
_RANGES = ("00-03", "04-07", "08-11", "12-15")
_DRAIN = ("embed_documents", "-c", "docs", "--config", '{"ops": {"docs__documents": {"config": {"retrack": false}}}}')
_DEFAULT_INSTANCE = "telemetry: {enabled: false}\n"
# One claim at a time of each run, so that all five meet in the same queue.
_SLOWLY = {"EMBEDDING_ASSETS_CLAIM_DOCUMENTS": "8", "EMBEDDING_ASSETS_EMBED_CONCURRENCY": "1"}


def test_runs_over_disjoint_ranges_drain_one_queue_together_beside_one_that_overlaps_and_is_held_back(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    servers = dagster_servers(
        database_url,
        empty_database_url,
        tmp_path,
        documents=_DOCUMENTS,
        instance=_DEFAULT_INSTANCE,
        variables=_SLOWLY,
    )
    with servers as dagster:
        dagster.processes.ours("sync")
        dagster.provider.fault(FaultKind.DELAY, seconds=5)
        launches = [dagster.launching(*_DRAIN, "--partitions", one, "--key", one) for one in _RANGES]
        wait_for(lambda: _holders(database_url) == len(_RANGES), lambda: dagster.processes.log("daemon"), 300)
        # All four are at work: this one asks for everything that they hold.
        overlapping = dagster.launch(*_DRAIN, "--partitions", "00-15", "--key", "overlapping")
        waiting = _row(database_url, b"SELECT count(*) FROM embedding_assets.work_items")
        ends = [ended(launch) for launch in launches]
        worked = {key: _partitions(dagster, key) for key in (*_RANGES, "overlapping")}
        asked = dagster.provider.counters().inputs
    assert [(end.code, end.err[-300:] if end.code else "") for end in (*ends, overlapping)] == [(0, "")] * 5
    print({key: sorted(parts) for key, parts in worked.items()}, f"{waiting} waited when the overlapping run was over")
    assert waiting > 0
    assert worked["overlapping"] == set()
    assert all(worked[one] for one in _RANGES)
    counted = Counter(partition for parts in worked.values() for partition in parts)
    assert set(counted.values()) == {1}
    assert all(
        first <= partition <= last for first, last in map(_ends, _RANGES) for partition in worked[f"{first}-{last}"]
    )
    # Nothing was sent twice, published twice or left.
    assert asked == _DOCUMENTS
    assert _row(database_url, b"SELECT count(*) FROM embedding_assets.publications") == _DOCUMENTS
    assert _row(database_url, b"SELECT count(*) FROM embedding_assets.work_items") == 0


def _ends(spread: str) -> tuple[str, str]:
    first, _, last = spread.partition("-")
    return first, last


def _holders(database_url: str) -> int:
    """Runs that hold a shard at this moment."""
    query = b"SELECT count(DISTINCT owner) FROM embedding_assets.shard_leases WHERE expires_at > clock_timestamp()"
    return _row(database_url, query)


def _partitions(dagster: DagsterServers, key: str) -> set[str]:
    """The partitions that the run of this key recorded work in."""
    with DagsterWebserver(dagster.url) as webserver:
        runs = DagsterRuns(webserver, "embedding_assets")
        [run] = runs.with_tag(KEY_TAG, key)
        found: set[str] = set()
        cursor, more = None, True
        while more:
            events, cursor, more = runs.events(run.run_id, cursor)
            recorded = [one for one in events if one.kind in {"ASSET_MATERIALIZATION", "ASSET_OBSERVATION"}]
            found |= {one.partition for one in recorded if one.partition}
    return found


def _row(database_url: str, query: bytes) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]
