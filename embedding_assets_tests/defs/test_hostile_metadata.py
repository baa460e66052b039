"""A document's name is plain text in Dagster's pages: never in Markdown, where it could become a table, a link or HTML."""

from pathlib import Path

import dagster as dg
import psycopg

from embedding_assets.defs.names import check_job
from embedding_assets_tests.support.code_location import build_location

_BAD = "|`<img src=x onerror=alert(1)>`| [a](http:b).md"


def test_no_markdown_of_a_run_or_a_check_holds_a_documents_name(
    database_url: str, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / _BAD.replace("/", "")).write_bytes(b"\xff")
    (corpus / "good.md").write_text("# <b>|`\n\nText.", encoding="utf-8")
    location = build_location(database_url, corpus, instance)
    location.sync()
    events = location.embed().all_events
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE embedding_assets.failed_documents SET status = 'escalated', next_retry_at = NULL, notified_at = now()"
        )
    checked = location.run_job(check_job("docs"), raise_on_error=False).all_events
    texts: list[str] = []
    for event in [*events, *checked]:
        found = _metadata(event)
        assert not any("img" in one.md_str for one in found if isinstance(one, dg.MarkdownMetadataValue) and one.md_str)
        texts += [one.text for one in found if isinstance(one, dg.TextMetadataValue) and one.text]
    assert any("onerror=alert(1)" in text for text in texts), "no check named the document: this test looks at nothing"


def _metadata(event: dg.DagsterEvent) -> list[dg.MetadataValue]:
    data = event.event_specific_data
    evaluation = getattr(data, "metadata", None) or getattr(getattr(data, "materialization", None), "metadata", None)
    observation = getattr(getattr(data, "asset_observation", None), "metadata", None)
    return list((evaluation or observation or {}).values())
