"""The nightly job: real Dagster, real vectors."""

from embedding_assets_tests.support.code_location import CodeLocation

_HELD_LONG_AGO = "UPDATE embedding_assets.vector_garbage SET since = since - interval '2 days'"


def test_the_nightly_job_deletes_what_nobody_has_held_for_a_day(published: CodeLocation) -> None:
    [(vectors,)] = published.rows("SELECT count(*) FROM embedding_assets.embeddings_1_1")
    published.rows("DELETE FROM embedding_assets.chunks WHERE ordinal = 0 RETURNING 1")
    result = published.run_job("docs__maintain_index")
    assert result.success
    assert published.rows("SELECT count(*) FROM embedding_assets.embeddings_1_1") == [(vectors,)]
    [(marked,)] = published.rows("SELECT count(*) FROM embedding_assets.vector_garbage")
    assert marked > 0
    published.rows(_HELD_LONG_AGO + " RETURNING 1")
    published.run_job("docs__maintain_index")
    assert published.rows("SELECT count(*) FROM embedding_assets.embeddings_1_1") == [(vectors - marked,)]


def test_it_runs_every_night_unless_somebody_stops_it(published: CodeLocation) -> None:
    schedule = published.defs.get_repository_def().get_schedule_def("docs__nightly_upkeep")
    assert (schedule.job_name, schedule.cron_schedule) == ("docs__maintain_index", "37 3 * * *")
    assert schedule.default_status.value == "RUNNING"
