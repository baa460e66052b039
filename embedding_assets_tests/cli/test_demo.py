"""The demo as a new user sees it, Dagster run and all, on a folder of two documents."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from embedding_assets_tests.cli.conftest import Project

# Says on stderr, last of all, what heavy packages it imported.
_PROGRAM = """
import atexit, sys
from embedding_assets.cli.app import main
atexit.register(lambda: sys.stderr.write(str([name for name in ("dagster", "litellm") if name in sys.modules])))
main()
"""


@pytest.mark.slow
def test_the_demo_embeds_a_folder_in_dagster_and_the_second_finds_nothing_to_do(
    project: Project, database_url: str, empty_database_url: str
) -> None:
    project.write("bread.md", "# How to bake bread\n\nKnead the dough of flour, water and yeast.\n")
    project.write("ships.md", "# How to sail ships\n\nHoist the sails and steer by the stars.\n")
    (project.folder / "bad.md").write_bytes(b"\xff\xfe\x00\x80")
    first = _demo(project.folder, database_url, empty_database_url)
    assert first.returncode == 0, first.stderr
    assert "3 listed, 3 new" in first.stderr
    assert ["2", "2", "2", "0", "1"] in [line.split()[:5] for line in first.stdout.splitlines()]
    assert "? How to bake bread" in first.stdout
    assert "Failed documents: 1 undecodable (retrying)" in first.stderr
    run_log = project.home / "logs" / "demo-run.log"
    written = run_log.stat().st_mtime_ns

    second = _demo(project.folder, database_url, empty_database_url)
    assert second.returncode == 0, second.stderr
    assert "Nothing to do: what the source lists (3 documents)" in second.stdout
    assert "search 'your question'" in second.stdout
    assert run_log.stat().st_mtime_ns == written
    assert second.stderr.endswith("[]")


def test_the_demo_does_not_touch_a_collection_of_the_same_name_with_another_source(
    applied: Project, tmp_path: Path
) -> None:
    file = tmp_path / "collections.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("handbook.", "docs."), encoding="utf-8")
    assert applied.call("collections", "apply").code == 0
    called = applied.call("demo")
    assert called.code == 1
    assert "with another source, which the demo will not touch" in called.err


def _demo(corpus: Path, database_url: str, dagster_url: str) -> "subprocess.CompletedProcess[str]":
    urls = {"EMBEDDING_ASSETS_DATABASE_URL": database_url, "EMBEDDING_ASSETS_DAGSTER_DATABASE_URL": dagster_url}
    argv = [sys.executable, "-c", _PROGRAM, "demo", "--corpus", str(corpus)]
    return subprocess.run(argv, env={**os.environ, **urls}, check=False, capture_output=True, text=True)
