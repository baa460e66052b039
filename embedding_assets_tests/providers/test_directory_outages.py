"""DirectorySource while things go away: a deletion is told from a folder or root that cannot be read."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

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


def nest_beyond_the_longest_path(folder: Path) -> Any:
    """Folders so deep that the system refuses to open them by path, for root too; returns what removes them."""
    folder.mkdir()
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=descriptor)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    return lambda: shutil.rmtree(folder)


def test_file_that_vanished_after_the_listing_is_missing(root: Path) -> None:
    source = DirectorySource(root)
    (listed,) = source.list_documents()
    (root / "kept.md").unlink()
    with pytest.raises(DocumentMissing, match=r"kept\.md"):
        source.fetch(listed.document_key)


def test_folder_deleted_while_listing_is_left_out(root: Path) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "in.md").write_text("x")
    listing = DirectorySource(root).list_documents()
    assert next(listing).document_key == "kept.md"
    shutil.rmtree(root / "sub")
    assert list(listing) == []


def test_root_that_vanishes_while_listing_fails_the_listing(root: Path) -> None:
    (root / "sub").mkdir()
    listing = DirectorySource(root).list_documents()
    next(listing)
    shutil.rmtree(root)
    with pytest.raises(SourceError) as caught:
        list(listing)
    assert caught.value.error_type is ErrorType.ROOT_UNAVAILABLE


def test_root_that_is_replaced_while_listing_fails_the_listing(root: Path, tmp_path: Path) -> None:
    (root / "sub").mkdir()
    listing = DirectorySource(root).list_documents()
    next(listing)
    root.rename(tmp_path / "unmounted")
    root.mkdir()
    with pytest.raises(SourceError, match="replaced") as caught:
        list(listing)
    assert caught.value.error_type is ErrorType.ROOT_UNAVAILABLE


@pytest.mark.parametrize("kind", ["missing", "file", "dangling link", "beneath a file"])
def test_root_that_is_no_folder_is_unavailable_and_nothing_is_missing(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "root"
    if kind == "file":
        root.write_text("x")
    elif kind == "dangling link":
        root.symlink_to(tmp_path / "nowhere")
    elif kind == "beneath a file":
        root.write_text("x")
        root = root / "below"
    with pytest.raises(SourceError, match="root") as listing:
        list(DirectorySource(root).list_documents())
    assert listing.value.error_type is ErrorType.ROOT_UNAVAILABLE
    assert failure(root, "kept.md").error_type is ErrorType.ROOT_UNAVAILABLE
    assert failure(root, "../kept.md").error_type is ErrorType.ROOT_UNAVAILABLE


def test_folder_that_cannot_be_opened_fails_the_listing_instead_of_shortening_it(root: Path) -> None:
    remove = nest_beyond_the_longest_path(root / "deep")
    try:
        with pytest.raises(SourceError, match="ddd") as caught:
            list(DirectorySource(root).list_documents())
        assert caught.value.error_type is ErrorType.ROOT_UNAVAILABLE
    finally:
        remove()


@pytest.mark.skipif(os.geteuid() == 0, reason="permission bits do not bind root")
def test_folder_without_permission_fails_the_listing_and_its_documents_are_unreadable(root: Path) -> None:
    (root / "closed").mkdir()
    (root / "closed" / "in.md").write_text("x")
    (root / "closed").chmod(0)
    try:
        with pytest.raises(SourceError, match="closed") as caught:
            list(DirectorySource(root).list_documents())
        assert caught.value.error_type is ErrorType.ROOT_UNAVAILABLE
        assert failure(root, "closed/in.md").error_type is ErrorType.SOURCE_UNREADABLE
    finally:
        (root / "closed").chmod(0o700)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens but cannot be read")
def test_file_that_cannot_be_read_just_now_is_unreadable_not_missing() -> None:
    error = failure(Path("/proc/self"), "mem", include=("mem",))
    assert error.error_type is ErrorType.SOURCE_UNREADABLE


def test_root_may_be_a_link_that_is_switched(tmp_path: Path) -> None:
    for release in ("one", "two"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "page.md").write_text(release)
    current = tmp_path / "current"
    current.symlink_to("one")
    source = DirectorySource(current)
    before = source.fetch("page.md")
    current.unlink()
    current.symlink_to("two")
    after = source.fetch("page.md")
    assert (before.content, after.content) == ("one", "two")
    assert before.uri == after.uri == (current / "page.md").as_uri()


def test_config_map_mounts_are_read(tmp_path: Path) -> None:
    version = tmp_path / "..2024_01_01"
    version.mkdir()
    (version / "page.md").write_text("mounted")
    (tmp_path / "..data").symlink_to(version.name)
    (tmp_path / "page.md").symlink_to("..data/page.md")
    assert keys(tmp_path) == {"page.md"}
    assert DirectorySource(tmp_path).fetch("page.md").content == "mounted"


def test_excluded_folders_are_not_even_opened(root: Path) -> None:
    unopenable = nest_beyond_the_longest_path(root / "node_modules")
    try:
        assert keys(root, exclude=("**/node_modules/**",)) == {"kept.md"}
    finally:
        unopenable()
