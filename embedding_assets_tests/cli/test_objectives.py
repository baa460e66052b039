"""`slo`: how the objectives stand, told in a table and as JSON."""

from embedding_assets_tests.cli.conftest import Project


def test_slo_tells_every_objective_of_what_was_published(published: Project) -> None:
    published.write("bread.md", "# Baking bread\n\nLet the dough rest over night.\n")
    assert published.call("run", "handbook").code == 0
    told = published.call("slo")
    assert told.code == 0, told.err
    lines = {line.split()[0]: line.split() for line in told.out.splitlines() if line.strip()}
    assert lines["freshness"][1:6] == ["99.0%", "100.000%", "0", "1", "100.0%"]
    assert lines["success"][1:6] == ["99.9%", "100.000%", "0", "1", "100.0%"]
    assert lines["latency"][1:6] == ["95.0%", "100.000%", "0", "3", "100.0%"]
    assert "all that was counted" in told.out


def test_slo_as_json_has_the_same_numbers_for_a_program(published: Project) -> None:
    [freshness, *others] = published.call("slo", "-c", "handbook", "--days", "7", "--json").json()
    assert [freshness["objective"], *(one["objective"] for one in others)] == ["freshness", "success", "latency"]
    assert (freshness["target"], freshness["events"], freshness["bad"]) == (0.99, 0, 0)
    assert (freshness["error_ratio"], freshness["error_budget_left"], freshness["since"]) == (None, 1, None)
    assert others[1]["events"] == 2
    assert set(freshness["burn_rates"]) == {"1h", "6h", "1d", "3d"}


def test_slo_before_anything_was_counted_says_what_would_be(applied: Project) -> None:
    told = applied.call("slo")
    assert told.code == 0
    assert "freshness: nothing was counted yet (a change at the source is published within an hour)" in told.out


def test_slo_of_a_collection_that_nobody_knows_is_one_sentence(applied: Project) -> None:
    told = applied.call("slo", "-c", "handbok")
    assert (told.code, told.out) == (1, "")
    assert "no collection 'handbok'" in told.err
