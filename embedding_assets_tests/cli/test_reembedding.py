"""apply, reembed and models, as an operator changes a chunk size and a model. The local model costs nothing unless it is priced."""

import os

import pytest

from embedding_assets_tests.cli.conftest import Project
from embedding_assets_tests.cli.test_collections import edit

PRICE = "usd_per_million_tokens = 4.0\n"
MODEL = "[collections.handbook.model]\n"


@pytest.fixture
def priced(published: Project) -> Project:
    """The published project with a price for its model."""
    edit(MODEL, MODEL + PRICE)
    return published


def change_model(project: Project) -> str:
    """Another model: the same under another template. What apply says."""
    edit("normalized = true", 'normalized = true\ninput_template = "{title}: {content}"')
    called = project.call("collections", "apply")
    assert called.code == 0
    return called.out


def test_nothing_stale_says_so(published: Project) -> None:
    called = published.call("reembed", "handbook")
    assert (called.code, called.out) == (0, "handbook: nothing is stale\n")


def test_another_chunk_size_is_told_when_applied_with_the_next_command(published: Project) -> None:
    edit(MODEL, "[collections.handbook.chunking]\nsize = 40\noverlap = 0\n" + MODEL)
    called = published.call("collections", "apply")
    assert "what is published was cut another way and stays searchable" in called.out
    assert called.out.endswith("embedding-assets reembed handbook\n")


def test_what_costs_money_is_shown_and_waits_for_approval(priced: Project) -> None:
    edit(MODEL, "[collections.handbook.chunking]\nsize = 40\noverlap = 0\n" + MODEL)
    priced.call("collections", "apply")
    shown = priced.call("reembed")
    assert shown.code == 0
    assert "the chunker changed" in shown.out
    assert "4 USD per million tokens: the collections file" in shown.out
    assert shown.out.endswith("nothing was sent; to begin: embedding-assets reembed handbook --approve\n")
    facts = priced.call("reembed", "--json").json()
    assert (facts["decision"], facts["stale"]["chunker"]["documents"]) == ("needs_approval", 2)
    assert facts["inputs_to_send"] == facts["stale"]["chunker"]["to_send"] > 2
    assert facts["usd"] == pytest.approx(4e-6 * facts["tokens_to_send"])

    dear = priced.call("reembed", "--approve", "--max-usd", "0.0000001")
    assert (dear.code, "would cost more than 1e-07 USD" in dear.err) == (1, True)
    begun = priced.call("reembed", "--approve")
    assert (begun.code, "2 documents queued in the backfill lane" in begun.out) == (0, True)
    assert priced.call("run", "handbook", "--no-sync", "--json").json()["published"] == 2


def test_the_automatic_price_is_a_setting(priced: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    change_model(priced)
    monkeypatch.setenv("EMBEDDING_ASSETS_AUTO_REEMBED_MAX_USD", "1")
    assert priced.call("reembed", "--json").json()["decision"] == "begin"


def test_a_model_is_changed_searched_kept_gone_back_to_and_retired(priced: Project) -> None:
    said = change_model(priced)
    assert "is to be built; search and runs go on under local/wordllama-256 (256 dimensions)" in said
    assert said.endswith("What that costs: embedding-assets reembed handbook\n")
    assert "another model is being built" in priced.call("collections", "list").out
    assert priced.call("collections", "show", "handbook").json()["applied"]["building"]["dimensions"] == 256
    assert "is being built, and search answers from the one before it" in priced.call("doctor", "handbook").out
    assert "model local/wordllama-256 is being built: embedding-assets reembed handbook" in priced.call("status").out
    assert "ships.md" in priced.call("search", "sails and harbour", "-k", "1").out

    done = priced.call("reembed", "--approve")
    assert done.code == 0
    assert "model local/wordllama-256 is being built" in done.out
    assert "search answers from the new model now; the old one is kept" in done.out
    assert "ships.md" in priced.call("search", "sails and harbour", "-k", "1").out
    models = priced.call("models", "list", "--json").json()
    assert [(model["model_id"], model["state"], model["documents"]) for model in models] == [
        (1, "kept", 2),
        (2, "active", 2),
    ]
    assert "kept" in priced.call("models", "list").out

    refused = priced.call("models", "retire", "handbook", "2")
    assert (refused.code, "search answers from it" in refused.err) == (1, True)
    retired = priced.call("models", "retire", "handbook", "1")
    assert retired.out == "handbook: model 1 is dropped, with 2 documents published under it\n"
    assert len(priced.call("models", "list", "handbook", "--json").json()) == 1


def test_putting_the_model_back_says_that_the_build_was_cancelled(priced: Project) -> None:
    change_model(priced)
    edit('\ninput_template = "{title}: {content}"', "")
    called = priced.call("collections", "apply")
    assert "the build of model local/wordllama-256 (256 dimensions) was cancelled" in called.out
    assert priced.call("reembed").out == "handbook: nothing is stale\n"


def test_the_local_model_costs_nothing_and_needs_no_approval(published: Project) -> None:
    change_model(published)
    called = published.call("reembed", "--json")
    facts = called.json()
    assert (facts["decision"], facts["usd"], facts["stale"]["model"]["price_from"]) == ("begin", 0.0, "free")
    assert (facts["built"]["cut_over"], facts["sent"]["inputs"]) == (True, facts["inputs_to_send"])


def test_a_collection_has_to_be_named_where_there_are_several(published: Project) -> None:
    file = os.environ["EMBEDDING_ASSETS_COLLECTIONS_FILE"]
    with open(file, "a", encoding="utf-8") as text:  # noqa: PTH123 - appended to
        text.write(
            '[collections.more]\nsource = { type = "python-stdlib" }\nmodel = { name = "local/wordllama-256", dimensions = 256 }\n'
        )
    called = published.call("reembed")
    assert (called.code, "name a collection: there are handbook, more" in called.err) == (1, True)
