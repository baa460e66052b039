"""What `collections apply` refuses, and what is said when file and database differ."""

import os
from pathlib import Path

import pytest

from embedding_assets_tests.cli.conftest import Project


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('"directory"', '"dirctory"', "type = 'dirctory' must be one of '"),
        ("path =", "paths =", "unknown key 'paths'; did you mean path?"),
        ("dimensions = 256", "dimensions = 128", "local/wordllama-256 has 256 dimensions, not 128"),
        ("normalized = true", "extra = { api_base = 'http://elsewhere' }", "unknown options of model"),
    ],
)
def test_a_source_or_model_that_cannot_be_built_is_refused_before_it_is_written(
    applied: Project, right: str, wrong: str, said: str
) -> None:
    before = applied.call("collections", "show", "handbook").json()["applied"]
    edit(right, wrong)
    called = applied.call("collections", "apply")
    assert called.code == 1
    assert "collections.toml: collections.handbook: " in called.err
    assert said in called.err
    assert applied.call("collections", "show", "handbook").json()["applied"] == before


def test_a_folder_that_is_not_mounted_here_can_be_applied(applied: Project) -> None:
    edit('handbook"', 'elsewhere"')
    assert applied.call("collections", "apply").code == 0


def test_chunking_edited_and_not_applied_is_told_with_both_values(applied: Project) -> None:
    edit("[collections.handbook.model]", "[collections.handbook.chunking]\nsize = 500\n[collections.handbook.model]")
    called = applied.call("run", "handbook")
    assert called.code == 1
    assert "size is 500 in the file and 800 in the database" in called.err
    assert "collections apply" in called.err


def test_the_list_tells_what_was_edited_and_not_applied(applied: Project) -> None:
    assert "differs" not in applied.call("collections", "list").out
    edit("[collections.handbook.source]", "[collections.handbook]\npaused = true\n[collections.handbook.source]")
    assert "differs from the database" in applied.call("collections", "list").out
    assert applied.call("collections", "apply").code == 0
    assert "paused" in applied.call("collections", "list").out


def edit(right: str, wrong: str) -> None:
    """Replace a piece of the project's collections file."""
    file = Path(os.environ["EMBEDDING_ASSETS_COLLECTIONS_FILE"])
    before = file.read_text(encoding="utf-8")
    assert right in before
    file.write_text(before.replace(right, wrong), encoding="utf-8")
