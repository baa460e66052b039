"""Deletions that nobody believed are shown until they are confirmed or the source is back."""

from embedding_assets_tests.cli.conftest import Project

_SENTENCE = (
    "25 deletions withheld, too many at once: mend the source, or if they are meant embedding-assets sync handbook"
)


def _doctor(project: Project) -> tuple[str, str]:
    [found] = [one for one in project.call("doctor", "--json").json() if one["check"] == "handbook: deletions"]
    return found["verdict"], found["found"]


def test_withheld_deletions_are_shown_by_status_and_doctor_until_they_are_confirmed(applied: Project) -> None:
    for number in range(30):
        applied.write(f"{number}.md", f"Document {number}.")
    assert applied.call("sync").code == 0
    assert "withheld" not in applied.call("status").out
    for number in range(25):
        (applied.folder / f"{number}.md").unlink()
    assert applied.call("sync").code == 3
    assert _SENTENCE in " ".join(applied.call("status").out.split())
    [row] = applied.call("status", "--json").json()["collections"]
    assert row["withheld_deletions"] == 25
    assert _doctor(applied) == ("warn", "25 documents of the listing before are gone at once, and stay searchable")
    assert applied.call("sync", "handbook", "--confirm-deletions").code == 0
    assert "withheld" not in applied.call("status").out
    assert _doctor(applied) == ("ok", "none withheld")
