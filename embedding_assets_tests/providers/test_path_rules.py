"""Which files of a folder are documents: known extensions, include and exclude globs."""

from pathlib import Path
from typing import Any

import pytest

from embedding_assets.domain.failures import DocumentMissing
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


def test_only_document_extensions_are_listed_unless_a_glob_names_another(root: Path) -> None:
    for name in ("a.TXT", "b.html", "c.htm", "d.markdown", "e.csv", "f.py", "g.png", "README"):
        (root / name).write_text("x")
    assert keys(root) == {"kept.md", "a.TXT", "b.html", "c.htm", "d.markdown"}
    assert keys(root, include=("**/*.csv", "README")) == {"e.csv", "README"}


def test_hidden_files_and_folders_are_left_out_by_default(root: Path) -> None:
    (root / ".git").mkdir()
    (root / ".git" / "description.md").write_text("x")
    (root / ".draft.md").write_text("x")
    assert keys(root) == {"kept.md"}
    assert keys(root, exclude=()) == {"kept.md", ".git/description.md", ".draft.md"}


def test_document_that_a_new_glob_leaves_out_is_missing_though_the_file_is_there(root: Path) -> None:
    (root / "old").mkdir()
    (root / "old" / "page.md").write_text("x")
    with pytest.raises(DocumentMissing):
        DirectorySource(root, exclude=("old/**",)).fetch("old/page.md")


@pytest.mark.parametrize(
    ("glob", "selected", "not_selected"),
    [
        ("*.md", {"a.md"}, {"b/a.md"}),
        ("**/*.md", {"a.md", "b/a.md", "b/c/a.md"}, {"a.txt"}),
        ("b/**", {"b/a.md", "b/c/a.md"}, {"a.md", "bb/a.md"}),
        ("b/*/a.md", {"b/c/a.md"}, {"b/a.md", "b/c/d/a.md"}),
        ("**/b/**/a.md", {"b/a.md", "b/c/a.md", "x/b/a.md"}, {"c/a.md"}),
        ("?.md", {"a.md"}, {"aa.md"}),
        ("[ab].md", {"a.md", "b.md"}, {"c.md"}),
        ("[!ab].md", {"c.md"}, {"a.md"}),
        ("a+(1).md", {"a+(1).md"}, {"aa1.md"}),
        ("[.md", {"[.md"}, {"a.md"}),
    ],
)
def test_globs_mean_what_they_mean_in_pathlib(
    tmp_path: Path, glob: str, selected: set[str], not_selected: set[str]
) -> None:
    for key in selected | not_selected:
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_text("x")
    assert keys(tmp_path, include=(glob,)) == selected
    assert keys(tmp_path, exclude=(glob,), include=("**/*.md",)) == {key for key in not_selected if key.endswith(".md")}
