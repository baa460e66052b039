"""The job that brings failed documents back, run twice at once; and the tick that counts what was missed."""

import os
import subprocess
import sys
import time

import dagster as dg
import psycopg

from embedding_assets.definitions import build_defs
from embedding_assets.defs.ticks import embed_tick
from embedding_assets_tests.support.code_location import CodeLocation

_ARRIVED = "SELECT document_key FROM embedding_assets.work_arrivals ORDER BY 1"
_WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
_MISSED = (
    "SELECT labels, sum(value) FROM embedding_assets.metric_counters"
    " WHERE name = 'embedding_freshness_sla_documents_total' GROUP BY 1"
)


def test_the_job_run_twice_at_once_moves_every_due_document_once(published: CodeLocation) -> None:
    names = [f"bad-{number}.md" for number in range(5)]
    for name in names:
        (published.corpus / name).write_bytes(b"\xff\xfe\xff not text")
    published.sync()
    published.embed(retrack=False)
    published.rows("UPDATE embedding_assets.failed_documents SET next_retry_at = now()")
    url = published.settings.database_url.get_secret_value()
    with psycopg.connect(url) as blocker, _job_in_a_process_of_its_own(published) as other:
        blocker.execute("LOCK TABLE embedding_assets.work_arrivals IN ACCESS EXCLUSIVE MODE")
        while not published.rows(_WAITING):
            assert other.poll() is None
            time.sleep(0.05)
        # The other has marked them and waits to enqueue them: this one must neither wait nor take them again.
        assert _moved(published.run_job("docs__reprocess_failed_documents")) == 0
        blocker.rollback()
        assert other.communicate(timeout=120)[0].endswith("moved 5\n")
    assert published.rows(_ARRIVED) == [(name,) for name in names]
    published.embed(retrack=False)
    attempts = "SELECT count(*), max(attempt) FROM embedding_assets.failed_attempts"
    assert published.rows(attempts) == [(10, 2)]


def _moved(result: dg.ExecuteInProcessResult) -> int:
    [output] = [event for event in result.all_node_events if event.is_successful_output]
    return int(str(output.step_output_data.metadata["queued"].value))


def _job_in_a_process_of_its_own(location: CodeLocation) -> "subprocess.Popen[str]":
    environment = {
        **os.environ,
        "EMBEDDING_ASSETS_DATABASE_URL": location.settings.database_url.get_secret_value(),
        "EMBEDDING_ASSETS_COLLECTIONS_FILE": str(location.settings.collections_file),
    }
    return subprocess.Popen([sys.executable, __file__], env=environment, stdout=subprocess.PIPE, text=True)


def test_a_tick_counts_missed_promises_once_though_no_run_succeeds(published: CodeLocation) -> None:
    published.break_a_promise()
    published.rows("UPDATE embedding_assets.collections SET paused = true")
    for _ in range(2):
        tick = embed_tick(published.instance, published.workbenches, "docs", 1)
        assert isinstance(tick, dg.SkipReason)
        assert published.rows(_MISSED) == [(["docs", "missed"], 1.0)]


if __name__ == "__main__":
    with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
        job = build_defs().resolve_job_def("docs__reprocess_failed_documents")
        print("moved", _moved(job.execute_in_process(instance=instance)))
