"""Fixtures of the terminal's tests: the program called in this process, and a folder of its own as the project."""

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from embedding_assets.cli.app import main

_COLLECTIONS = """
[collections.handbook.source]
type = "directory"
path = "{folder}"

[collections.handbook.model]
name = "local/wordllama-256"
dimensions = 256
normalized = true
"""


@dataclass(frozen=True, slots=True)
class Called:
    """What a call of the program left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Stdout, which must be JSON and nothing else."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Project:
    """A folder of documents, a collections file over it, and the program with these settings."""

    folder: Path
    home: Path
    capture: pytest.CaptureFixture[str]

    def call(self, *arguments: str) -> Called:
        """Run `embedding-assets` with these arguments."""
        self.capture.readouterr()
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = self.capture.readouterr()
        return Called(code, captured.out, captured.err)

    def write(self, key: str, text: str) -> None:
        """Write one document."""
        (self.folder / key).write_text(text, encoding="utf-8")

    def configure(self, toml: str) -> None:
        """Write more into the collections file; `collections apply` is the test's to call."""
        with (self.folder.parent / "collections.toml").open("a", encoding="utf-8") as file:
            file.write(toml)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    """A project without a database."""
    folder = tmp_path / "handbook"
    folder.mkdir()
    file = tmp_path / "collections.toml"
    file.write_text(_COLLECTIONS.format(folder=folder), encoding="utf-8")
    monkeypatch.delenv("EMBEDDING_ASSETS_DATABASE_URL", raising=False)
    monkeypatch.setenv("EMBEDDING_ASSETS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EMBEDDING_ASSETS_COLLECTIONS_FILE", str(file))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield Project(folder, tmp_path / "home", capsys)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def applied(project: Project, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project on a migrated database, its collection applied."""
    monkeypatch.setenv("EMBEDDING_ASSETS_DATABASE_URL", database_url)
    assert project.call("collections", "apply").code == 0
    return project


@pytest.fixture
def published(applied: Project) -> Project:
    """Two documents, published."""
    applied.write("bread.md", "# Baking bread\n\nKnead the dough of flour, water and yeast, and bake it in the oven.\n")
    applied.write("ships.md", "# Sailing ships\n\nHoist the sails, steer by the stars and anchor in the harbour.\n")
    assert applied.call("run", "handbook").code == 0
    return applied
