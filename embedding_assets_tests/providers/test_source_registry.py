"""Sources from configuration: built-in types, registered ones, and messages that say what is wrong."""

from pathlib import Path

import pytest

from embedding_assets.domain.ports import IncrementalSource
from embedding_assets.providers.sources.directory import DirectorySource
from embedding_assets.providers.sources.registry import build_source
from embedding_assets.providers.sources.stdlib_docs import StdlibDocsSource


def refusal(config: dict[str, object]) -> str:
    with pytest.raises(ValueError, match="source") as caught:
        build_source(config)
    return str(caught.value)


def test_directory_takes_its_options(tmp_path: Path) -> None:
    for name in ("a.md", "b.csv", "c.csv"):
        (tmp_path / name).write_bytes(b"\xe9")
    source = build_source(
        {
            "type": "directory",
            "path": str(tmp_path),
            "include": ["**/*.csv"],
            "exclude": ["c.*"],
            "max_bytes": 1,
            "encoding": "latin-1",
        }
    )
    assert isinstance(source, DirectorySource)
    assert [listed.document_key for listed in source.list_documents()] == ["b.csv"]
    assert source.fetch("b.csv").content == "é"


def test_directory_needs_only_a_path(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")
    source = build_source({"type": "directory", "path": str(tmp_path)})
    assert [listed.document_key for listed in source.list_documents()] == ["a.md"]


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.md").write_text("x")
    source = build_source({"type": "directory", "path": "~"})
    assert [listed.document_key for listed in source.list_documents()] == ["a.md"]


def test_stdlib_takes_module_globs() -> None:
    source = build_source({"type": "python-stdlib", "modules": ["json.*"]})
    assert isinstance(source, StdlibDocsSource)
    assert {listed.document_key.split(".")[0] for listed in source.list_documents()} == {"json"}
    assert isinstance(build_source({"type": "python-stdlib"}), StdlibDocsSource)


@pytest.mark.parametrize("source_type", ["ftp", "", None, 3, ["directory"]])
def test_unknown_type_is_named_with_the_types_there_are(source_type: object) -> None:
    message = refusal({"type": source_type})
    assert repr(source_type) in message
    assert "'bucket', 'directory', 'postgres-table', 'python-stdlib'" in message


def test_missing_type_is_told(tmp_path: Path) -> None:
    assert "type = None" in refusal({"path": str(tmp_path)})


def test_unknown_key_is_named_with_the_allowed_ones_and_without_its_value() -> None:
    message = refusal({"type": "directory", "path": "docs", "inclde": ["*.md"]})
    assert "'inclde'" in message
    assert "*.md" not in message
    assert "did you mean include?" in message
    assert "path, include, exclude, max_bytes, encoding" in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("path", ""),
        ("path", 3),
        ("path", "s3://bucket/docs"),
        ("include", "*.md"),
        ("include", [3]),
        ("exclude", {"a": 1}),
        ("max_bytes", "20"),
        ("max_bytes", True),
        ("max_bytes", 0),
        ("encoding", 8),
        ("encoding", "no-such"),
    ],
)
def test_wrong_value_is_named_with_its_key(key: str, value: object) -> None:
    message = refusal({"type": "directory", "path": "docs", key: value})
    assert key in message
    assert repr(value) in message


def test_a_missing_path_is_told() -> None:
    assert "path is missing" in refusal({"type": "directory"})


def test_wrong_modules_are_named() -> None:
    assert "modules = 'json*'" in refusal({"type": "python-stdlib", "modules": "json*"})


def install(folder: Path, distribution: str, entry_points: str, module: str = "", code: str = "") -> None:
    """What pip leaves of a distribution: its metadata and its module."""
    metadata = folder / f"{distribution}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[embedding_assets.sources]\n{entry_points}\n")
    if module:
        (folder / f"{module}.py").write_text(code)


WIKI = """
from embedding_assets.domain.documents import Document, ListedDocument

class Wiki:
    def __init__(self, config):
        self.space = config["space"]

    def list_documents(self):
        yield ListedDocument(self.space, "1", None)

    def fetch(self, document_key):
        return Document(document_key, "text")
"""


def test_other_packages_register_types_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "wiki-source", "wiki = registered_wiki:Wiki", "registered_wiki", WIKI)
    monkeypatch.syspath_prepend(str(tmp_path))
    source = build_source({"type": "wiki", "space": "handbook"})
    assert [listed.document_key for listed in source.list_documents()] == ["handbook"]
    assert "'wiki'" in refusal({"type": "unknown"})


EVENTS = (
    WIKI
    + """
class Events(Wiki):
    def next_cursor(self, cursor):
        return str(int(cursor or 0) + 1)

    def changes_since(self, cursor):
        yield ChangedDocument(self.space, None, None)

class HalfEvents(Wiki):
    def changes_since(self, cursor):
        return iter(())
"""
)


def test_a_registered_type_may_tell_its_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = EVENTS.replace("import Document,", "import ChangedDocument, Document,")
    install(tmp_path, "events-source", "events = registered_events:Events", "registered_events", code)
    monkeypatch.syspath_prepend(str(tmp_path))
    source = build_source({"type": "events", "space": "handbook"})
    assert isinstance(source, IncrementalSource)
    assert [change.signature for change in source.changes_since(source.next_cursor("1"))] == [None]


def test_a_registered_type_with_half_of_what_tells_changes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = EVENTS.replace("import Document,", "import ChangedDocument, Document,")
    install(tmp_path, "half-source", "half = registered_half:HalfEvents", "registered_half", code)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "built a HalfEvents without next_cursor and changes_since" in refusal({"type": "half", "space": "x"})


def test_type_registered_twice_is_refused_naming_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "one", "twice = first_package:Source")
    install(tmp_path, "two", "twice = second_package:Source")
    monkeypatch.syspath_prepend(str(tmp_path))
    message = refusal({"type": "twice"})
    assert "first_package:Source" in message
    assert "second_package:Source" in message


def test_registered_type_that_cannot_be_loaded_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "broken", "broken = no_such_module_here:Source")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "no_such_module_here:Source" in refusal({"type": "broken"})


def test_registered_type_that_builds_no_source_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "odd", "odd = registered_odd:build", "registered_odd", "def build(config):\n    return 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "built a int without list_documents and fetch" in refusal({"type": "odd"})
