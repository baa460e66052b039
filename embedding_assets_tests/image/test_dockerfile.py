"""What the Dockerfile says of itself: pinned, without tools, not root, nothing private in the build."""

import re

import pytest

from embedding_assets_tests.image.dockerfile import instructions, kept_out, of


def test_both_stages_stand_on_one_base_that_is_pinned_to_a_release() -> None:
    [base] = [one.value for one in instructions() if one.name == "ARG"]
    assert re.fullmatch(r"BASE=python:3\.\d+\.\d+-slim-\w+", base)
    assert [one.value for one in instructions() if one.name == "FROM"] == ["${BASE} AS build", "${BASE}"]


def test_the_image_runs_as_a_user_by_number_and_keeps_no_installer() -> None:
    assert of("USER", 1) == ["10001:10001"]
    [prepare] = of("RUN", 1)
    assert "pip uninstall --yes" in prepare
    assert of("COPY", 1) == ["--from=build /opt/embedding-assets /opt/embedding-assets"]


def test_whole_commands_can_be_given_and_what_is_written_goes_below_tmp() -> None:
    assert of("ENTRYPOINT", 1) == []
    [variables] = of("ENV", 1)
    assert {"HOME=/tmp", "EMBEDDING_ASSETS_HOME=/tmp/embedding-assets"} <= set(variables.split())


@pytest.mark.parametrize(
    "name",
    [
        ".git/config",
        ".venv/bin/python",
        ".embedding-assets/postgres/log",
        "collections.toml",
        ".env",
        "docs/settings.md",
    ],
)
def test_what_is_private_or_not_needed_is_no_part_of_the_build(name: str) -> None:
    assert kept_out(name)


def test_what_the_build_copies_is_no_secret_and_no_test() -> None:
    assert not kept_out("embedding_assets/cli/app.py")
    assert not kept_out("migrations/versions/0001_schema.sql")
    assert not any("tests" in copied for copied in of("COPY", 0))
