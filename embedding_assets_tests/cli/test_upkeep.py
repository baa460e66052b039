"""maintain, called as a person would."""

from embedding_assets_tests.cli.conftest import Project


def test_what_a_deleted_document_held_goes_at_a_purge_and_not_before(applied: Project) -> None:
    applied.write("kept.md", "This stays.")
    applied.write("gone.md", "This goes.")
    assert applied.call("run", "handbook").code == 0
    (applied.folder / "gone.md").unlink()
    assert applied.call("run", "handbook", "--json").json()["deleted"] == 1
    waiting = applied.call("maintain")
    assert waiting.out == "handbook: 0 vectors newly held by nobody, 0 deleted, 0 held again, 1 in their grace\n"
    purged = applied.call("maintain", "handbook", "--purge", "--json").json()["handbook"]
    assert (purged["deleted"], purged["in_grace"]) == (1, 0)
