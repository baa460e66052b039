"""search, status, explain, doctor and collections on a small published collection."""

import psycopg
import pytest

from embedding_assets_tests.cli.conftest import Project


def test_search_finds_the_document_about_the_question(published: Project) -> None:
    first, second = published.call("search", "dough for a loaf", "--json").json()
    assert first["document_key"] == "bread.md"
    assert first["score"] > second["score"]
    assert first["content"] == "# Baking bread\n\nKnead the dough of flour, water and yeast, and bake it in the oven."
    assert (first["ordinal"], first["start_char"], first["locations"]) == (0, 0, [])
    assert first["uri"].startswith("file:///")


def test_search_in_words_names_score_key_place_and_snippet(published: Project) -> None:
    lines = published.call("search", "steer a boat", "-k", "1").out.splitlines()
    assert lines[0].startswith("1. 0.")
    assert "ships.md" in lines[0]
    assert "chunk 0, characters 0-" in lines[0]
    assert lines[1].strip().startswith("# Sailing ships Hoist the sails")


def test_the_headings_of_a_chunk_are_shown_by_search_and_explain(applied: Project) -> None:
    applied.configure('[collections.handbook.chunking]\nstrategy = "markdown"\nsize = 60\noverlap = 0\n')
    applied.write("bread.md", "# Bread\n\nWhat it is.\n\n## Baking\n\nKnead the dough, and bake it in the oven.\n")
    assert applied.call("collections", "apply").code == 0
    assert applied.call("run", "handbook").code == 0
    first = applied.call("search", "bake dough", "--json").json()[0]
    assert first["headings"] == ["Bread", "Baking"]
    assert ", under Bread > Baking\n" in applied.call("search", "bake dough", "-k", "1").out
    explained = applied.call("explain", "bread.md").out
    assert "stand under 2 headings:\n    Bread: 1 chunk\n    Bread > Baking: 1 chunk\n" in explained
    [told] = applied.call("explain", "bread.md", "--json").json()
    assert told["headings"][1] == {"headings": ["Bread", "Baking"], "chunks": 1}


def test_a_filter_leaves_only_documents_with_that_metadata(published: Project) -> None:
    found = published.call("search", "dough", "--filter", '{"path": "ships.md"}', "--json").json()
    assert [one["document_key"] for one in found] == ["ships.md"]


def test_markup_and_control_characters_of_a_document_are_shown_and_not_obeyed(applied: Project) -> None:
    applied.write(
        "trap[red].md", "# A [bold]title[/bold]\x1b[31m\n\nRed \x1b]0;owned\x07 text \u202eecilam and [/nothing].\n"
    )
    assert applied.call("run", "handbook").code == 0
    for called in (applied.call("search", "red text"), applied.call("explain", "trap[red].md")):
        assert called.code == 0
        assert "[bold]title[/bold]" in called.out
        assert not {"\x1b", "\x07", "\u202e"} & set(called.out)


def test_status_says_when_nothing_waits(published: Project) -> None:
    [row] = published.call("status", "--json").json()["collections"]
    assert (row["collection"], row["listed"], row["published"], row["queue"], row["failed"]) == (
        "handbook",
        2,
        2,
        [],
        [],
    )
    assert row["waiting_for"] == ["nothing waits: everything the last poll listed is settled"]
    assert "handbook: nothing waits" in published.call("status").out


def test_status_says_what_is_waited_for(published: Project) -> None:
    published.write("late.md", "A late arrival.")
    assert published.call("sync").code == 0
    [row] = published.call("status", "--json").json()["collections"]
    assert [(depth["lane"], depth["state"], depth["documents"]) for depth in row["queue"]] == [("live", "arrived", 1)]
    assert "1 document arrived in lane live" in published.call("status").out


def test_explain_tells_a_published_document_and_what_waits(published: Project) -> None:
    published.write("late.md", "A late arrival.")
    assert published.call("sync").code == 0
    [told] = published.call("explain", "bread.md", "--json").json()
    assert (told["place"], told["collection"], told["attempts"]) == ("published", "handbook", [])
    assert published.call("explain", "late.md", "--json").json()[0]["place"] == "arrived"


def test_explain_shows_the_attempts_of_a_failed_document(applied: Project) -> None:
    (applied.folder / "bad.md").write_bytes(b"\xff\xfe\x00\x80")
    assert applied.call("run", "handbook").code == 0
    [told] = applied.call("explain", "bad.md", "--json").json()
    assert told["place"] == "retrying"
    assert [attempt["error_type"] for attempt in told["attempts"]] == ["undecodable"]
    assert "it is tried again" in told["next"]


def test_explain_of_an_unknown_key_shows_similar_ones(published: Project) -> None:
    called = published.call("explain", "bread")
    assert called.code == 1
    assert "similar: 'bread.md'" in called.err


def test_doctor_finds_a_working_installation_well_but_for_the_absent_daemon(published: Project) -> None:
    called = published.call("doctor", "--json")
    findings = {one["check"]: one for one in called.json()}
    assert called.code == 0
    assert [name for name, one in findings.items() if one["verdict"] != "ok"] == ["dagster daemon"]
    assert findings["model local/wordllama-256"]["found"] == "answered with 256 dimensions"


def test_an_open_circuit_is_named_wherever_a_document_waits_for_it_and_a_run_by_hand_ends_it(
    published: Project, database_url: str
) -> None:
    published.write("late.md", "A late arrival.")
    assert published.call("sync").code == 0
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO embedding_assets.circuits (provider, reason, message, probe_after) "
            "VALUES ('local/wordllama-256', 'provider_unavailable', 'it answered 503', now() + interval '1 hour')"
        )
    sentence = "it answered 503; nobody claims for local/wordllama-256 since "
    assert sentence in published.call("status").out.replace("\n", " ")
    [circuit] = published.call("status", "--json").json()["circuits"]
    assert (circuit["provider"], circuit["reason"]) == ("local/wordllama-256", "provider_unavailable")
    [told] = published.call("explain", "late.md", "--json").json()
    assert (sentence in told["why"], "probe" in told["next"]) == (True, True)
    assert sentence not in published.call("explain", "bread.md", "--json").json()[0]["why"]
    [found] = [one for one in published.call("doctor", "--json").json() if one["check"] == "handbook: circuit"]
    assert (found["verdict"], sentence in found["found"]) == ("warn", True)

    assert published.call("run", "handbook", "--json").json()["published"] == 1
    assert published.call("status", "--json").json()["circuits"] == []


def test_doctor_fails_where_the_source_is_gone_and_says_what_to_do(published: Project) -> None:
    published.folder.rename(published.folder.with_name("elsewhere"))
    called = published.call("doctor", "--json")
    [source] = [one for one in called.json() if one["check"] == "handbook: source"]
    assert (called.code, source["verdict"]) == (1, "fail")
    assert "mount it" in source["found"]


def test_doctor_fails_where_the_collection_is_not_applied(
    project: Project, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDING_ASSETS_DATABASE_URL", database_url)
    called = project.call("doctor")
    assert called.code == 1
    assert "embedding-assets collections apply" in called.out


def test_doctor_says_when_the_schema_is_missing_and_looks_no_further(
    project: Project, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDING_ASSETS_DATABASE_URL", empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
    findings = project.call("doctor", "--json").json()
    assert findings[-1]["check"] == "schema"
    assert findings[-1]["advice"] == "run: embedding-assets migrate"


def test_collections_show_gives_the_fingerprints_that_workers_compare(applied: Project) -> None:
    shown = applied.call("collections", "show", "handbook").json()
    assert (shown["state"], shown["applied"]["model"]["name"]) == ("applied", "local/wordllama-256")
    assert len(shown["applied"]["model_fingerprint"]) == 16
    assert "handbook" in applied.call("collections", "list").out
    assert applied.call("collections", "show", "nothing").code == 1
