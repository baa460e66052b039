"""The documentation of the running Python as a source: what is listed, what it says, and that it never varies."""

import builtins
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import embedding_assets
from embedding_assets.domain.documents import Document, ListedDocument
from embedding_assets.domain.failures import DocumentMissing
from embedding_assets.providers.sources.stdlib_docs import StdlibDocsSource

# Compiled modules that Python itself is about to remove say so when they are loaded to be read.
pytestmark = pytest.mark.filterwarnings("ignore:.* is deprecated and slated for removal:DeprecationWarning")


@pytest.fixture(scope="module")
def listed() -> dict[str, ListedDocument]:
    """The whole listing by key."""
    return {entry.document_key: entry for entry in StdlibDocsSource().list_documents()}


@pytest.fixture(scope="module")
def documents(listed: dict[str, ListedDocument]) -> dict[str, Document]:
    """Every listed document, fetched by several threads as the pipeline does."""
    source = StdlibDocsSource()
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(listed, pool.map(source.fetch, listed), strict=True))


def test_some_hundred_modules_are_listed_each_once(listed: dict[str, ListedDocument]) -> None:
    keys = [entry.document_key for entry in StdlibDocsSource().list_documents()]
    assert 250 <= len(keys) == len(listed) <= 700


@pytest.mark.parametrize(
    "name",
    [
        *("json", "json.decoder", "email.mime.text", "concurrent.futures", "xml.etree.ElementTree", "collections.abc"),
        *("math", "itertools", "builtins", "sys", "time", "struct", "asyncio.tasks", "dataclasses", "pathlib"),
    ],
)
def test_public_modules_and_submodules_are_listed(listed: dict[str, ListedDocument], name: str) -> None:
    assert name in listed


@pytest.mark.parametrize(
    "name",
    [
        *("antigravity", "this", "idlelib", "lib2to3", "turtledemo", "test", "unittest.test", "_struct", "_pydecimal"),
        *("__main__", "__phello__", "json.__main__", "ensurepip._bundled", "email._header_value_parser", "readline"),
        *("winreg", "msvcrt", "urllib", "numpy", "pytest", "no_such", "json.no_such", "os.environ", "", ".", "..os"),
        *("json/decoder", "../json", "json.decoder.JSONDecoder", "re\x00"),
    ],
)
def test_private_absent_foreign_and_undocumented_modules_are_missing(
    listed: dict[str, ListedDocument], name: str
) -> None:
    assert name not in listed
    with pytest.raises(DocumentMissing):
        StdlibDocsSource().fetch(name)


def test_everything_listed_can_be_fetched_and_stored(documents: dict[str, Document]) -> None:
    for key, document in documents.items():
        assert document.document_key == key
        assert document.content.startswith(document.title + "\n")
        assert "\x00" not in document.content
        assert document.content.encode()
        assert json.dumps(dict(document.metadata))


def test_times_of_listing_and_fetch_agree(listed: dict[str, ListedDocument], documents: dict[str, Document]) -> None:
    assert {key: entry.changed_at for key, entry in listed.items()} == {
        key: document.source_updated_at for key, document in documents.items()
    }
    assert listed["builtins"].changed_at is None
    assert listed["json"].changed_at is not None


def test_signature_holds_the_python_version_and_the_file(listed: dict[str, ListedDocument]) -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    found = Path(json.__file__).stat()
    assert listed["json"].signature.endswith(f"{found.st_mtime_ns}:{found.st_size}")
    assert version in listed["json"].signature
    assert version in listed["builtins"].signature


def test_document_of_a_python_module(documents: dict[str, Document]) -> None:
    document = documents["json.decoder"]
    assert document.title == "json.decoder — Implementation of JSONDecoder"
    assert document.uri == "python:json.decoder"
    assert document.metadata == {"module": "json.decoder", "package": "json", "kind": "python"}
    assert "class json.decoder.JSONDecoder(*, object_hook=None," in document.content
    assert "    Bases: ValueError\n" in document.content
    assert "\n    JSONDecoder.raw_decode(s, idx=0)\n        Decode a JSON document" in document.content


def test_document_of_a_compiled_module(documents: dict[str, Document]) -> None:
    document = documents["math"]
    assert document.metadata["kind"] == "builtin"
    assert document.title.startswith("math — This module provides access to the mathematical functions")
    assert "\nmath.acos(x, /)\n    Return the arc cosine" in document.content
    assert "$module" not in document.content


def test_classes_of_compiled_modules_show_their_methods(documents: dict[str, Document]) -> None:
    content = documents["builtins"].content
    assert "class builtins.KeyError\n    Bases: LookupError\n    Mapping key not found." in content
    assert "\n    list.append(object, /)\n        Append object to the end of the list." in content
    assert "\n    classmethod dict.fromkeys(iterable, value=None, /)\n" in content
    assert "\n    property complex.imag\n" in content


def test_every_builtin_class_and_function_is_shown(documents: dict[str, Document]) -> None:
    shown = set(re.findall(r"^(?:class )?builtins\.(\w+)", documents["builtins"].content, re.MULTILINE))
    aliases = {"EnvironmentError", "IOError"}
    set_by_site = {"copyright", "credits", "exit", "help", "license", "quit"}
    callables = {name for name, member in vars(builtins).items() if callable(member) and not name.startswith("_")}
    assert shown == callables - aliases - set_by_site


def test_methods_show_how_they_are_called(documents: dict[str, Document]) -> None:
    assert "    async Queue.get()\n" in documents["asyncio.queues"].content
    assert "    property Thread.name\n" in documents["threading"].content
    assert "    classmethod Fraction.from_float(f)\n" in documents["fractions"].content


def test_names_taken_from_compiled_and_private_modules_are_shown_under_their_public_name(
    documents: dict[str, Document],
) -> None:
    assert "\nstruct.calcsize(format, /)\n    Return size in bytes" in documents["struct"].content
    assert documents["struct"].title == "struct — Functions to convert between Python values and C structs"
    assert "\nclass decimal.Decimal(" in documents["decimal"].content
    assert "\ntomllib.loads(" in documents["tomllib"].content if sys.version_info >= (3, 11) else True
    assert "\nclass concurrent.futures.Future()\n" in documents["concurrent.futures"].content
    assert "Coroutine.send(value)\n        Send a value" in documents["collections.abc"].content


def test_only_declared_names_are_shown_where_a_module_declares_them(documents: dict[str, Document]) -> None:
    assert "\nbisect.bisect_left(" in documents["bisect"].content
    assert "\nclass queue.Queue(" in documents["queue"].content
    assert "textwrap.dedent(text)" in documents["textwrap"].content
    assert "copy.Error" in documents["copy"].content
    assert "copy.PyStringMap" not in documents["copy"].content


def test_globs_choose_modules_for_listing_and_fetching() -> None:
    source = StdlibDocsSource(["json*", "csv"])
    names = {entry.document_key for entry in source.list_documents()}
    assert {"json", "json.decoder", "csv"} <= names
    assert all(name == "csv" or name.startswith("json") for name in names)
    with pytest.raises(DocumentMissing):
        source.fetch("math")


def run_python(code: str, **environment: str) -> str:
    """What a fresh interpreter prints, with this package on its path."""
    path = str(Path(embedding_assets.__path__[0]).parent)
    command = [sys.executable, "-c", code]
    env = {**os.environ, "PYTHONPATH": path, **environment}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout


HASHES = """
import sys
from embedding_assets.providers.sources.stdlib_docs import StdlibDocsSource
{before}
source = StdlibDocsSource(["sys", "builtins", "decimal", "functools", "socket", "[ioct]*"])
for listed in source.list_documents():
    print(listed.document_key, listed.signature, source.fetch(listed.document_key).content_hash().hex())
"""


def test_every_process_gives_the_same_bytes_whatever_it_has_imported_or_hooked() -> None:
    busy = "import tkinter.constants, asyncio, ctypes, curses, xml.dom; sys.excepthook = sys.displayhook = print"
    plain = run_python(HASHES.format(before=""), PYTHONHASHSEED="1")
    assert len(plain.splitlines()) > 50
    assert plain == run_python(HASHES.format(before=busy), PYTHONHASHSEED="2")


def test_modules_written_in_python_are_never_imported() -> None:
    code = """
import sys
from embedding_assets.providers.sources.stdlib_docs import StdlibDocsSource
source = StdlibDocsSource()
for listed in source.list_documents():
    source.fetch(listed.document_key)
print(sorted({"antigravity", "this", "tkinter", "turtle", "idlelib", "readline", "webbrowser"} & set(sys.modules)))
"""
    assert run_python(code) == "[]\n"
