"""`embedding-assets launch` against Dagster's own webserver and daemon, as Argo runs it: a process that knows a URL."""

import re
import signal
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import Connection

from embedding_assets.domain.launches import KEY_TAG, LaunchedRun, LaunchOrder, LaunchRefused
from embedding_assets.pipeline import launching
from embedding_assets.pipeline.launching import Patience
from embedding_assets.providers.dagster_runs import DagsterJob, DagsterRuns
from embedding_assets.providers.dagster_webserver import DagsterAway, DagsterWebserver
from embedding_assets_tests.simulator import FaultKind
from embedding_assets_tests.support.argo import SCHEDULES, argv, uid_of, workflow
from embedding_assets_tests.support.dagster_servers import DagsterServers, dagster_servers, ended, wait_for
from embedding_assets_tests.support.server import fresh_database

pytestmark = pytest.mark.slow

_EMBED = ["embed_documents", "-c", "docs"]


@pytest.fixture(scope="module")
def urls(administration: Connection, server_url: str) -> Iterator[tuple[str, str]]:
    """Our database, and Dagster's."""
    dagsters = fresh_database(administration, server_url, migrated=False)
    with fresh_database(administration, server_url) as ours, dagsters as dagster_url:
        yield ours, dagster_url


@pytest.fixture(scope="module")
def dagster(urls: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterServers]:
    folder = tmp_path_factory.mktemp("launching")
    with dagster_servers(*urls, folder, documents=6, variables={"EMBEDDING_ASSETS_LEASE_SECONDS": "10"}) as servers:
        servers.processes.ours("sync")
        yield servers


def test_a_launch_ends_with_0_when_its_run_succeeded_and_a_second_with_its_key_starts_nothing(
    dagster: DagsterServers, urls: tuple[str, str]
) -> None:
    first = dagster.launch(*_EMBED, "--partitions", "00-15", "--key", "nightly-1", "--tag", "from=argo", "--wait")
    assert first.code == 0, first.err
    assert "docs/embeddings" in first.err
    second = dagster.launch(*_EMBED, "--partitions", "00-15", "--key", "nightly-1")
    assert second == type(second)(0, first.out, second.err)
    assert "was launched with this key before" in second.err
    assert _runs(urls, "nightly-1") == ["SUCCESS"]
    assert _count(urls[0], b"SELECT count(*) FROM embedding_assets.publications") == 6
    assert _tags(urls, "nightly-1") >= {("from", "argo"), ("dagster/asset_partition_range_end", "15")}


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_argv_of_each_of_argos_schedules_ends_with_0_and_a_second_of_its_workflow_starts_nothing(
    dagster: DagsterServers, urls: tuple[str, str], name: str
) -> None:
    here = ("--set", f"dagster.webserverUrl={dagster.url}")
    schedule = workflow(name, *here)
    program, command, *arguments = argv(schedule, *here)
    assert (program, command) == ("embedding-assets", "launch")
    first = dagster.launch(*arguments)
    assert first.code == 0, first.err
    assert dagster.launch(*arguments).out == first.out
    assert _runs(urls, uid_of(schedule)) == ["SUCCESS"]


def test_a_failed_run_ends_its_launch_with_1_and_the_runs_own_reason_and_is_not_retried(
    dagster: DagsterServers, urls: tuple[str, str]
) -> None:
    corpus = dagster.processes.corpus
    hidden = corpus.rename(corpus.with_name("away"))
    try:
        launched = dagster.launch("docs__sync_sources", "--key", "failing", "--timeout", "600")
    finally:
        hidden.rename(corpus)
    assert (launched.code, launched.out) == (1, "")
    assert "error: run " in launched.err
    assert f"failed: cannot read '{corpus}'" in launched.err
    assert _runs(urls, "failing") == ["FAILURE"]


def test_a_run_whose_process_is_killed_is_retried_by_dagster_and_its_launch_stays_with_it(
    dagster: DagsterServers, urls: tuple[str, str]
) -> None:
    dagster.provider.fault(FaultKind.DELAY, seconds=60)
    _change(dagster, "killed")
    asked = dagster.provider.counters().requests
    launch = dagster.launching(*_EMBED, "--key", "killed")
    wait_for(lambda: dagster.provider.counters().requests > asked, lambda: dagster.processes.log("daemon"))
    dagster.kill_run()
    dagster.provider.reset()
    done = ended(launch)
    assert done.code == 0, done.err
    assert "Dagster retries it as run" in done.err
    assert _runs(urls, "killed") == ["FAILURE", "SUCCESS"]
    # Until the killed run's leases end, no run takes its shards.
    leased = b"SELECT count(*) FROM embedding_assets.shard_leases WHERE expires_at > clock_timestamp()"
    wait_for(lambda: _count(urls[0], leased) == 0, lambda: dagster.processes.log("daemon"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["docs__nothing"], "no job 'docs__nothing' in code location 'embedding_assets'; there are: docs__"),
        ([*_EMBED, "--partitions", "00-16"], "has no partition '16'; allowed: 00 to 15"),
        ([*_EMBED, "--partitions", "03-01"], "runs backwards"),
        (["docs__sync_sources", "--partitions", "00"], "has no partitions"),
        ([*_EMBED, "--config", '{"ops": {"nothing": {}}}'], "the run config does not fit"),
    ],
)
def test_what_cannot_be_launched_is_refused_with_2_and_starts_nothing(
    dagster: DagsterServers, urls: tuple[str, str], arguments: list[str], says: str
) -> None:
    refused = dagster.launch(*arguments, "--key", "refused")
    assert (refused.code, refused.out) == (2, "")
    assert says in refused.err
    assert _runs(urls, "refused") == []


def test_of_two_runs_that_one_key_started_at_the_same_moment_the_older_stays(
    dagster: DagsterServers, urls: tuple[str, str]
) -> None:
    order = LaunchOrder("docs__check_stored_data", "twice")
    with DagsterWebserver(dagster.url) as webserver:
        runs = DagsterRuns(webserver, "embedding_assets")
        job = runs.job(order.job)
        # What both do before either could have seen the other's.
        older, newer = runs.launch(job, order, None), runs.launch(job, order, None)
        patience = Patience(120, 60, print)
        assert launching.launch(runs, order, patience).run_id == older.run_id
        assert launching.launch_and_wait(runs, order, patience, print).run_id == older.run_id
        assert {run.run_id: run.status for run in runs.with_tag(KEY_TAG, "twice")} == {
            older.run_id: "SUCCESS",
            newer.run_id: "CANCELED",
        }


class _LosesAnswers(DagsterRuns):
    """The first launch is carried out, and its answer lost on the way."""

    lost = False

    def launch(self, job: DagsterJob, order: LaunchOrder, partitions: tuple[str, str] | None) -> LaunchedRun:
        run = super().launch(job, order, partitions)
        if not self.lost:
            self.lost = True
            raise DagsterAway("the connection was reset")
        return run


def test_a_launch_whose_answer_was_lost_finds_its_run_instead_of_starting_another(
    dagster: DagsterServers, urls: tuple[str, str]
) -> None:
    with DagsterWebserver(dagster.url) as webserver:
        runs = _LosesAnswers(webserver, "embedding_assets")
        run = launching.launch(runs, LaunchOrder("docs__check_stored_data", "lost"), Patience(120, 60, print))
    assert runs.lost
    assert run.run_id
    assert len(_runs(urls, "lost")) == 1


def test_a_run_that_is_deleted_while_it_is_waited_for_ends_its_launch(dagster: DagsterServers) -> None:
    gone = "00000000-0000-0000-0000-000000000000"
    with DagsterWebserver(dagster.url) as webserver, pytest.raises(LaunchRefused, match="no longer there"):
        DagsterRuns(webserver, "embedding_assets").find(gone)


def test_a_launch_survives_a_webserver_that_is_killed_and_finds_the_run_of_one_that_ran_out_of_time(
    dagster: DagsterServers, urls: tuple[str, str]
) -> None:
    dagster.provider.fault(FaultKind.DELAY, seconds=3)
    _change(dagster, "restart")
    asked = dagster.provider.counters().requests
    late = dagster.launch(*_EMBED, "--key", "restart", "--timeout", "1")
    assert (late.code, "a run of --key restart goes on" in late.err) == (5, True)
    launch = dagster.launching(*_EMBED, "--key", "restart", "--timeout", "600")
    wait_for(lambda: dagster.provider.counters().requests > asked, lambda: dagster.processes.log("daemon"))
    dagster.kill_webserver()
    dagster.wait_until_asked_while_away()
    dagster.start_webserver()
    done = ended(launch)
    dagster.provider.reset()
    assert done.code == 0, done.err
    assert re.search(r"does not answer \(\w+\); trying again", done.err)
    assert _runs(urls, "restart") == ["SUCCESS"]
    assert dagster.launch(*_EMBED, "--key", "restart", "--no-wait").out.strip() in done.out


def test_a_launch_told_to_stop_ends_its_run_which_gives_its_claims_back(
    dagster: DagsterServers, urls: tuple[str, str]
) -> None:
    dagster.provider.fault(FaultKind.DELAY, seconds=60)
    _change(dagster, "stop")
    asked = dagster.provider.counters().requests
    launch = dagster.launching(*_EMBED, "--key", "stop")
    wait_for(lambda: dagster.provider.counters().requests > asked, lambda: dagster.processes.log("daemon"))
    launch.send_signal(signal.SIGTERM)
    done = ended(launch)
    dagster.provider.reset()
    assert done.code == 130, done.err
    assert "told to stop: ending the run" in done.err
    # On a busy machine a run takes longer to end than its launch may wait.
    wait_for(lambda: _runs(urls, "stop") == ["CANCELED"], lambda: done.err)
    assert _count(urls[0], b"SELECT count(lease_owner) FROM embedding_assets.work_items") == 0


def _change(dagster: DagsterServers, word: str) -> None:
    (dagster.processes.corpus / f"{word}.md").write_text(f"A document about the word {word}.", encoding="utf-8")
    dagster.processes.ours("sync")


def _runs(urls: tuple[str, str], key: str) -> list[str]:
    """How the runs of this key stand, the oldest first."""
    with psycopg.connect(urls[1]) as connection:
        query = (
            "SELECT r.status FROM runs AS r JOIN run_tags AS t USING (run_id) "
            "WHERE t.key = %s AND t.value = %s ORDER BY r.id"
        )
        return [status for (status,) in connection.execute(query, [KEY_TAG, key]).fetchall()]


def _tags(urls: tuple[str, str], key: str) -> set[tuple[str, str]]:
    with psycopg.connect(urls[1]) as connection:
        query = (
            "SELECT t.key, t.value FROM run_tags AS t "
            "WHERE t.run_id IN (SELECT run_id FROM run_tags WHERE key = %s AND value = %s)"
        )
        return set(connection.execute(query, [KEY_TAG, key]).fetchall())


def _count(database_url: str, query: bytes) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]
