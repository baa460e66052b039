"""The notifying sensors: at least once, never silently lost, and silent where there is nobody to tell."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from embedding_assets.defs.failed_runs import Told
from embedding_assets.defs.names import watched_jobs
from embedding_assets.defs.telling import escalation_tick, failed_runs_tick
from embedding_assets_tests.support.code_location import CodeLocation
from embedding_assets_tests.support.webhook import Webhook

SINCE_EVER = Told(datetime.now(timezone.utc) - timedelta(days=1)).cursor()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as webhook:
        yield webhook


@pytest.fixture
def told(location: CodeLocation, webhook: Webhook) -> CodeLocation:
    """The code location whose settings name the webhook."""
    settings = {"notify_webhook_url": SecretStr(webhook.url), "notify_timeout_seconds": 1.0}
    return replace(location, settings=location.settings.model_copy(update=settings))


def escalate(location: CodeLocation, *names: str) -> None:
    """Documents of these names are given up."""
    for name in names:
        (location.corpus / name).write_bytes(b"\xff\xfe\xff not text")
    location.sync()
    location.embed(retrack=False)
    location.rows(
        "UPDATE embedding_assets.failed_documents SET status = 'escalated', next_retry_at = NULL WHERE status = 'retrying'"
    )


def tick(location: CodeLocation) -> str:
    return escalation_tick(location.workbenches, "docs").skip_message or ""


def runs_tick(location: CodeLocation, cursor: str | None = SINCE_EVER) -> tuple[str, str | None]:
    """What the tick says, and the cursor it leaves."""
    result = failed_runs_tick(location.instance, location.workbenches, "docs", cursor)
    if isinstance(result, dg.SkipReason):
        return result.skip_message or "", None
    assert result.skip_reason
    return result.skip_reason.skip_message or "", result.cursor


def untold(location: CodeLocation) -> int:
    [(count,)] = location.rows(
        "SELECT count(*) FROM embedding_assets.failed_documents WHERE status = 'escalated' AND notified_at IS NULL"
    )
    return count


def fail_a_sync(location: CodeLocation) -> dg.ExecuteInProcessResult:
    """A poll whose source is gone."""
    gone = location.corpus.with_name("elsewhere")
    location.corpus.rename(gone)
    result = location.run_job(
        "docs__sync_sources", run_config={"ops": {"docs__poll_source": {"config": {}}}}, raise_on_error=False
    )
    gone.rename(location.corpus)
    assert not result.success
    return result


def test_escalated_documents_are_told_once(told: CodeLocation, webhook: Webhook) -> None:
    assert tick(told) == "nobody has to be told anything"
    escalate(told, "bad-1.md", "bad-2.md")
    assert tick(told) == "told of escalated documents: 2"
    assert tick(told) == "nobody has to be told anything"
    [notice] = webhook.told
    assert (notice["event"], notice["collection"], notice["count"]) == ("documents_escalated", "docs", 2)
    assert [one["document_key"] for one in notice["examples"]] == ["bad-1.md", "bad-2.md"]
    assert "not text" not in str(notice)
    escalate(told, "bad-3.md")
    tick(told)
    assert [one["document_key"] for one in webhook.told[1]["examples"]] == ["bad-3.md"]


@pytest.mark.parametrize("trouble", ["answers 500", "hangs"])
def test_a_webhook_that_fails_leaves_them_untold_and_the_next_tick_tells(
    told: CodeLocation, webhook: Webhook, trouble: str
) -> None:
    escalate(told, "bad.md")
    webhook.status, webhook.hangs = (500, False) if trouble == "answers 500" else (200, True)
    with pytest.raises(dg.Failure) as caught:
        tick(told)
    assert "webhook of EMBEDDING_ASSETS_NOTIFY_WEBHOOK_URL" in str(caught.value.description)
    assert "\n" not in str(caught.value.description)
    assert "s3cr3t" not in str(caught.value.description)
    assert untold(told) == 1
    webhook.status, webhook.hangs = 200, False
    assert tick(told) == "told of escalated documents: 1"
    assert untold(told) == 0


def test_without_a_notifier_nothing_is_told_and_nothing_marked(location: CodeLocation) -> None:
    escalate(location, "bad.md")
    assert "EMBEDDING_ASSETS_NOTIFY_WEBHOOK_URL is not set" in tick(location)
    assert untold(location) == 1
    assert runs_tick(location) == (tick(location), None)


def test_escalations_of_a_paused_collection_are_told_and_of_one_not_applied_there_are_none(
    told: CodeLocation, webhook: Webhook
) -> None:
    escalate(told, "bad.md")
    told.rows("UPDATE embedding_assets.collections SET paused = true")
    assert tick(told) == "told of escalated documents: 1"
    told.rows("DELETE FROM embedding_assets.collections")
    assert tick(told) == "nobody has to be told anything"
    assert len(webhook.told) == 1


def test_a_failed_run_is_told_once_with_its_one_sentence(told: CodeLocation, webhook: Webhook) -> None:
    run = fail_a_sync(told)
    said, cursor = runs_tick(told)
    assert said == "told of failed runs: 1"
    [notice] = webhook.told
    assert (notice["event"], notice["collection"], notice["count"]) == ("runs_failed", "docs", 1)
    [example] = notice["examples"]
    assert (example["run_id"], example["job"]) == (run.run_id, "docs__sync_sources")
    assert example["reason"].startswith("cannot read")
    assert runs_tick(told, cursor)[0] == "nobody has to be told anything"
    assert len(webhook.told) == 1


def test_a_failed_run_that_could_not_be_told_is_told_by_the_next_tick(told: CodeLocation, webhook: Webhook) -> None:
    fail_a_sync(told)
    webhook.status = 500
    with pytest.raises(dg.Failure, match="answered HTTP 500"):
        runs_tick(told)
    webhook.status = 200
    assert runs_tick(told)[0] == "told of failed runs: 1"


def test_a_failed_run_is_told_while_our_database_is_away(told: CodeLocation, webhook: Webhook) -> None:
    away = told.without_database()
    run = away.instance.create_run_for_job(
        told.defs.resolve_job_def("docs__embed_documents"), status=dg.DagsterRunStatus.STARTED
    )
    away.instance.report_run_failed(run, "Exceeded maximum runtime of 2100 seconds.")
    assert runs_tick(away)[0] == "told of failed runs: 1"
    assert webhook.told[0]["examples"][0]["reason"] == "Exceeded maximum runtime of 2100 seconds."


def test_other_runs_are_nobodys_business(told: CodeLocation, webhook: Webhook) -> None:
    told.sync()
    embed = told.defs.resolve_job_def("docs__embed_documents")
    told.instance.create_run_for_job(embed, status=dg.DagsterRunStatus.CANCELED)
    told.instance.create_run_for_job(embed, status=dg.DagsterRunStatus.STARTED)

    @dg.job
    def somebody_elses() -> None: ...

    told.instance.create_run_for_job(somebody_elses, status=dg.DagsterRunStatus.FAILURE)
    assert runs_tick(told)[0] == "nobody has to be told anything"
    assert webhook.told == []


def test_no_job_of_a_collection_fails_unheard(location: CodeLocation) -> None:
    jobs = {job.name for job in location.defs.resolve_all_job_defs() if job.name.startswith("docs__")}
    assert set(watched_jobs("docs")) == jobs


def test_a_run_that_failed_before_the_first_tick_long_ago_is_history(told: CodeLocation) -> None:
    run = fail_a_sync(told)
    told.age_failure(run.run_id, minutes=60)
    said, cursor = runs_tick(told, None)
    assert said == "nobody has to be told anything"
    fail_a_sync(told)
    assert runs_tick(told, cursor)[0] == "told of failed runs: 1"


def test_a_run_whose_end_is_written_late_is_not_missed(told: CodeLocation) -> None:
    _, cursor = runs_tick(told, None)
    run = fail_a_sync(told)
    told.age_failure(run.run_id, minutes=5)
    said, cursor = runs_tick(told, cursor)
    assert said == "told of failed runs: 1"
    assert runs_tick(told, cursor)[0] == "nobody has to be told anything"


def test_what_was_raised_unforeseen_is_told_by_its_name_alone(told: CodeLocation, webhook: Webhook) -> None:
    @dg.job(name="docs__sync_sources")
    def surprising() -> None:
        @dg.op
        def raises() -> None:
            message = "the minutes of the board"
            raise LookupError(message)

        raises()

    surprising.execute_in_process(instance=told.instance, raise_on_error=False)
    assert runs_tick(told)[0] == "told of failed runs: 1"
    assert webhook.told[0]["examples"][0]["reason"].startswith("unexpected LookupError")
    assert "minutes" not in str(webhook.told)


def test_dagster_runs_both_sensors_by_itself_and_keeps_the_cursor(
    told: CodeLocation, webhook: Webhook, tmp_path: Path
) -> None:
    escalate(told, "bad.md")
    repository = told.defs.get_repository_def()
    resources = {"workbenches": told.workbenches}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"telemetry": {"enabled": False}}) as kept:
        for name in ("docs__escalations", "docs__failed_runs"):
            sensor = repository.get_sensor_def(name)
            assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
            with dg.build_sensor_context(instance=kept, resources=resources, cursor=SINCE_EVER) as context:
                result = sensor.evaluate_tick(context)
            assert result.run_requests == []
            assert result.skip_message
        assert result.cursor != SINCE_EVER
    assert [notice["event"] for notice in webhook.told] == ["documents_escalated"]
