"""DirectorySource against real folders: what it lists, what it fetches, and which paths it refuses."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from embedding_assets.domain.documents import ListedDocument
from embedding_assets.domain.failures import DocumentMissing, ErrorType, SourceError
from embedding_assets.providers.sources.directory import DirectorySource


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with one document, beside which tests put what must not be reached."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "kept.md").write_text("# Kept\n\nbody\n")
    return folder


def keys(root: Path, **options: Any) -> set[str]:
    return {listed.document_key for listed in DirectorySource(root, **options).list_documents()}


def failure(root: Path, key: str, **options: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        DirectorySource(root, **options).fetch(key)
    return caught.value


def test_listing_gives_key_signature_and_time_of_every_document(root: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "deep.rst").write_text("12345")
    os.utime(root / "a" / "b" / "deep.rst", ns=(0, 1_700_000_000_123_456_789))
    os.utime(root / "kept.md", ns=(0, 1_000))
    assert sorted(DirectorySource(root).list_documents(), key=lambda listed: listed.document_key) == [
        ListedDocument(
            "a/b/deep.rst",
            "1700000000123456789:5",
            datetime(2023, 11, 14, 22, 13, 20, 123_456, tzinfo=timezone.utc),
        ),
        ListedDocument("kept.md", "1000:13", datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=timezone.utc)),
    ]


def test_fetch_gives_content_title_uri_metadata_and_time(root: Path) -> None:
    os.utime(root / "kept.md", ns=(0, 1_700_000_000_000_000_000))
    document = DirectorySource(root).fetch("kept.md")
    assert document.content == "# Kept\n\nbody\n"
    assert document.title == "Kept"
    assert document.uri == (root / "kept.md").as_uri()
    assert document.metadata == {"path": "kept.md", "extension": ".md"}
    assert document.source_updated_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)


def test_changing_a_file_changes_its_signature(root: Path) -> None:
    (before,) = DirectorySource(root).list_documents()
    (root / "kept.md").write_text("longer than before, surely")
    (after,) = DirectorySource(root).list_documents()
    assert before.signature != after.signature


def test_touching_a_file_does_not_change_its_content_hash(root: Path) -> None:
    before = DirectorySource(root).fetch("kept.md")
    os.utime(root / "kept.md", ns=(0, 5))
    after = DirectorySource(root).fetch("kept.md")
    assert before.content_hash() == after.content_hash()


@pytest.mark.parametrize(
    "name", ["new\nline.md", "quote'\".md", "back\\slash.md", "tab\t.md", "ünï😀.md", " .md", "%2e.md"]
)
def test_strange_names_are_keys_like_others(root: Path, name: str) -> None:
    (root / name).write_text("strange")
    assert keys(root) == {"kept.md", name}
    assert DirectorySource(root).fetch(name).content == "strange"


def test_names_that_are_not_utf8_are_left_out_and_said(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root / os.fsdecode(b"caf\xe9.md")).write_text("x")
    assert keys(root) == {"kept.md"}
    assert "left out 1 names that are not UTF-8" in caplog.text


@pytest.mark.parametrize("name", ["secret.md", "folder/secret.md"])
def test_link_out_of_the_root_is_neither_listed_nor_fetched(root: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / name).write_text("secret")
    (root / "link.md").symlink_to(tmp_path / name)
    (root / "folder").symlink_to(tmp_path / "folder")
    assert keys(root) == {"kept.md"}
    for key in ("link.md", "folder/secret.md"):
        with pytest.raises(DocumentMissing):
            DirectorySource(root).fetch(key)


def test_folder_whose_name_begins_like_the_root_is_outside_it(root: Path, tmp_path: Path) -> None:
    (tmp_path / "docs-private").mkdir()
    (tmp_path / "docs-private" / "secret.md").write_text("secret")
    (root / "link.md").symlink_to(tmp_path / "docs-private" / "secret.md")
    assert keys(root) == {"kept.md"}


def test_link_to_a_file_within_the_root_is_a_document_of_its_own(root: Path) -> None:
    (root / "alias.md").symlink_to("kept.md")
    assert keys(root) == {"kept.md", "alias.md"}
    alias = DirectorySource(root).fetch("alias.md")
    assert (alias.content, alias.uri) == ("# Kept\n\nbody\n", (root / "alias.md").as_uri())


def test_links_to_folders_are_not_followed_so_loops_end(root: Path) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "in.md").write_text("x")
    (root / "sub" / "loop").symlink_to(root)
    (root / "latest").symlink_to("sub")
    (root / "self.md").symlink_to("self.md")
    assert keys(root) == {"kept.md", "sub/in.md"}
    for key in ("sub/loop/kept.md", "latest/in.md", "self.md"):
        with pytest.raises(DocumentMissing):
            DirectorySource(root).fetch(key)


@pytest.mark.parametrize(
    "key",
    [
        "../secret.md",
        "sub/../../secret.md",
        "sub/../kept.md",
        "./kept.md",
        "//kept.md",
        "kept.md/",
        "/etc/hostname",
        "..",
        ".",
        "",
        "kept.md\x00",
        "\ud800.md",
        "sub",
        "sub.md",
        "kept.md/below.md",
        "x" * 300 + ".md",
    ],
)
def test_keys_no_listing_would_show_are_missing(root: Path, tmp_path: Path, key: str) -> None:
    (tmp_path / "secret.md").write_text("secret")
    (root / "sub").mkdir()
    (root / "sub.md").mkdir()
    with pytest.raises(DocumentMissing):
        DirectorySource(root, include=("**/*", "**/hostname")).fetch(key)


def test_fifo_is_not_a_document_and_does_not_block(root: Path) -> None:
    os.mkfifo(root / "pipe.md")
    assert keys(root) == {"kept.md"}
    with pytest.raises(DocumentMissing):
        DirectorySource(root).fetch("pipe.md")


def test_file_larger_than_allowed_is_too_large_and_one_as_large_is_read(root: Path) -> None:
    assert DirectorySource(root, max_bytes=13).fetch("kept.md").content == "# Kept\n\nbody\n"
    error = failure(root, "kept.md", max_bytes=12)
    assert error.error_type is ErrorType.TOO_LARGE
    assert "13 bytes" in str(error)


def test_size_is_checked_before_reading(root: Path) -> None:
    with (root / "sparse.txt").open("wb") as file:
        file.truncate(1 << 40)
    assert failure(root, "sparse.txt").error_type is ErrorType.TOO_LARGE


def test_empty_file_is_a_document(root: Path) -> None:
    (root / "empty.md").touch()
    document = DirectorySource(root).fetch("empty.md")
    assert (document.content, document.title) == ("", "empty")


def test_time_beyond_the_calendar_is_no_time(root: Path) -> None:
    beyond_year_9999 = 300_000_000_000
    os.utime(root / "kept.md", (beyond_year_9999, beyond_year_9999))
    if (root / "kept.md").stat().st_mtime != beyond_year_9999:
        pytest.skip("this file system keeps no such time")
    (listed,) = DirectorySource(root).list_documents()
    assert listed.changed_at is None


def test_errors_name_the_key_and_never_the_text(root: Path) -> None:
    (root / "bad.md").write_bytes(b"confidential \xff words")
    message = str(failure(root, "bad.md"))
    assert "bad.md" in message
    assert "confidential" not in message


def test_fetch_is_safe_from_several_threads(root: Path) -> None:
    for number in range(200):
        (root / f"{number}.md").write_text(f"# {number}")
    source = DirectorySource(root)
    with ThreadPoolExecutor(8) as pool:
        titles = [document.title for document in pool.map(source.fetch, (f"{number}.md" for number in range(200)))]
    assert titles == [str(number) for number in range(200)]


@pytest.mark.parametrize(
    "options",
    [
        {"max_bytes": 0},
        {"encoding": "no-such"},
        {"encoding": "hex"},
        {"include": ("../*",)},
        {"include": ("/etc/*",)},
        {"exclude": ("",)},
        {"exclude": ("[z-a]",)},
    ],
)
def test_options_that_cannot_be_used_are_refused_at_once(root: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"max_bytes|encoding|glob"):
        DirectorySource(root, **options)
