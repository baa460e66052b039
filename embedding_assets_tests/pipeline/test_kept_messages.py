"""What is kept of a failure holds no key, no password, no query and no passage of the document."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from embedding_assets.domain.documents import Document, ListedDocument
from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store import inspection
from embedding_assets_tests.simulator import FaultKind, Simulator
from embedding_assets_tests.support.benches import (
    on_bench_and_provider,
    open_bench,
    simulated_model,
    sync_and_run,
    write_documents,
)

_TEXT = "The minutes of the board say that nobody may know this before the summer of the year after the next one."


@dataclass
class _Talkative:
    """A source of somebody's that says too much when it cannot read."""

    keys: list[str] = field(default_factory=lambda: ["a"])

    def list_documents(self) -> Iterator[ListedDocument]:
        return (ListedDocument(key, "1", datetime.now(timezone.utc)) for key in self.keys)

    def fetch(self, document_key: str) -> Document:
        message = (
            f'cannot parse "{_TEXT}" of https://wiki.example/{document_key}?token=abc123 with '
            "api_key=sk-proj-abcdefgh12345 at postgresql://wiki:hunter2@db.example/wiki (Authorization: Bearer abcdefgh)"
        )
        raise SourceError(ErrorType.SOURCE_UNREADABLE, message)


async def _message(bench: Workbench, key: str) -> str:
    async with bench.db.transaction() as tx:
        [attempt] = await inspection.attempts(tx, "docs", key)
        state = await inspection.document_state(tx, "docs", key)
    assert state is not None
    assert state.reason == attempt.message
    return attempt.message


def test_what_a_source_says_too_much_is_not_kept(database_url: str) -> None:
    async def run() -> None:
        with Simulator() as provider:
            async with open_bench(database_url, _Talkative(), simulated_model(provider)) as bench:
                await sync_and_run(bench)
                assert await _message(bench, "a") == (
                    'cannot parse "…" of https://wiki.example/a?*** with api_key=*** at '
                    "postgresql://wiki:***@db.example/wiki (Authorization: Bearer ***)"
                )

    asyncio.run(run())


def test_a_provider_that_repeats_key_and_input_is_not_repeated(database_url: str, tmp_path: Path) -> None:
    write_documents(tmp_path, 2)
    (tmp_path / "board.md").write_text(_TEXT, encoding="utf-8")

    async def body(bench: Workbench, provider: Simulator) -> None:
        says = f"Incorrect input '{_TEXT}' for API key sk-proj-abcdefgh12345"
        provider.fault(FaultKind.STATUS, status=400, marker="minutes of the board", message=says)
        await sync_and_run(bench)
        message = await _message(bench, "board.md")
        assert message.startswith("the provider rejected an input of this request")
        assert "board say" not in message
        assert "sk-" not in message

    on_bench_and_provider(database_url, tmp_path, body)
