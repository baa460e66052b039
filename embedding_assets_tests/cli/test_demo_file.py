"""The demo's own collections file."""

from pathlib import Path

import pytest

from embedding_assets.cli.demo_file import add_corpus, file_of


def test_each_corpus_has_a_collection_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    file = tmp_path / "home" / "demo.toml"
    notes, others = tmp_path / "My Notes!", tmp_path / "deeper" / "My Notes!"
    for folder in (notes, others):
        folder.mkdir(parents=True)
    names = [add_corpus(file, corpus) for corpus in (None, notes, others, notes, None)]
    assert names[0] == names[4] == "docs"
    assert names[1] == names[3] == "folder_my_notes"
    assert names[2].startswith("folder_my_notes_")
    sources = {name: entry.source for name, entry in file_of(file).collections.items()}
    assert sources == {
        "docs": {"type": "python-stdlib"},
        "folder_my_notes": {"type": "directory", "path": str(notes)},
        names[2]: {"type": "directory", "path": str(others)},
    }


@pytest.mark.parametrize(
    "name", ['a "quoted" \\ name', "ünïcode 漢字 😀", "x" * 200, "123", "...", "del\x7fete\ttab\nline"]
)
def test_any_folder_name_survives_the_file(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    chosen = add_corpus(tmp_path / "demo.toml", folder)
    assert file_of(tmp_path / "demo.toml").collections[chosen].source["path"] == str(folder)
