"""Who is told, what they are told, and what counts as not told."""

import socket
from datetime import datetime, timezone
from pathlib import Path

import pytest

from embedding_assets.domain.failures import NotificationFailed
from embedding_assets.domain.notices import EscalatedDocument, FailedRun, FailedRunsNotice, escalation_notice
from embedding_assets.providers.notifiers import WebhookNotifier, build_notifiers
from embedding_assets_tests.support.webhook import Webhook

_WHEN = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
_DOCUMENTS = [
    EscalatedDocument(f"document-{number:02}.md", 1, "too_large" if number % 3 else "undecodable", 2, _WHEN)
    for number in range(12)
]
_NOTICE = escalation_notice("docs", _DOCUMENTS)


def _failure(webhook: Webhook) -> str:
    with pytest.raises(NotificationFailed) as caught:
        WebhookNotifier(webhook.url, timeout_seconds=0.5).notify(_NOTICE)
    message = str(caught.value)
    assert "s3cr3t" not in message
    assert "\n" not in message
    return message


def test_the_webhook_is_told_of_escalations_with_counts_and_ten_examples() -> None:
    with Webhook() as webhook:
        WebhookNotifier(webhook.url, timeout_seconds=10).notify(_NOTICE)
    [told] = webhook.told
    examples = told.pop("examples")
    assert told == {
        "event": "documents_escalated",
        "collection": "docs",
        "count": 12,
        "error_types": {"too_large": 8, "undecodable": 4},
        "text": "12 documents were given up in collection docs (8 too_large, 4 undecodable): "
        "embedding-assets failures list -c docs --status escalated",
    }
    assert len(examples) == 10
    assert examples[0] == {
        "document_key": "document-00.md",
        "episode": 1,
        "error_type": "undecodable",
        "attempts": 2,
        "last_failed_at": "2030-01-01T12:00:00+00:00",
    }
    assert webhook.headers[0]["Content-Type"] == "application/json"


def test_the_webhook_is_told_of_failed_runs_and_why() -> None:
    runs = [FailedRun("1234567890", "docs__sync_sources", "the root is gone"), FailedRun("2", "docs__x", "no database")]
    with Webhook() as webhook:
        for count in (1, 2):
            notice = FailedRunsNotice("docs", count, runs[:count])
            WebhookNotifier(webhook.url, timeout_seconds=10).notify(notice)
    one, both = webhook.told
    assert (one["event"], one["count"], both["count"]) == ("runs_failed", 1, 2)
    assert one["text"] == "a run of collection docs failed docs__sync_sources (12345678): the root is gone"
    assert both["text"] == "2 runs of collection docs failed, the latest docs__x (2): no database"
    assert both["examples"][1] == {"run_id": "2", "job": "docs__x", "reason": "no database"}


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_an_answer_that_is_no_success_counts_as_not_told(status: int) -> None:
    with Webhook() as webhook:
        webhook.status = status
        assert _failure(webhook).endswith(f"answered HTTP {status}")


@pytest.mark.parametrize("status", [301, 302, 303, 307])
def test_a_redirect_is_not_followed_and_counts_as_not_told(status: int) -> None:
    with Webhook() as webhook:
        webhook.status = status
        assert _failure(webhook).endswith(f"answered HTTP {status}")


@pytest.mark.parametrize("status", [201, 202, 204])
def test_any_success_is_being_told(status: int) -> None:
    with Webhook() as webhook:
        webhook.status = status
        WebhookNotifier(webhook.url, timeout_seconds=10).notify(_NOTICE)
        assert len(webhook.told) == 1


def test_a_webhook_that_hangs_is_given_up_in_time() -> None:
    with Webhook() as webhook:
        webhook.hangs = True
        assert _failure(webhook).endswith("did not answer within 0.5 s")


def test_a_webhook_that_is_not_there_cannot_be_reached() -> None:
    with Webhook() as gone:
        pass
    assert _failure(gone).endswith("cannot be reached (ConnectionRefusedError)")


def test_a_server_that_speaks_no_http_counts_as_not_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/s3cr3t"
        with socket.create_connection(server.getsockname()), pytest.raises(NotificationFailed) as caught:
            WebhookNotifier(url, timeout_seconds=0.5).notify(_NOTICE)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://user:s3cr3t@[::1", "http://host:s3cr3t/x", "http:///s3cr3t"])
def test_a_url_that_cannot_be_used_is_not_shown(url: str) -> None:
    with pytest.raises(NotificationFailed) as caught:
        WebhookNotifier(url, timeout_seconds=0.5).notify(_NOTICE)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_nobody_is_told_where_nothing_is_configured() -> None:
    assert build_notifiers(None, timeout_seconds=1) == []
    assert len(build_notifiers("http://127.0.0.1/x", timeout_seconds=1)) == 1


PAGER = """
class Pager:
    told = []

    def notify(self, notice):
        self.told.append(notice)
"""


def _install(folder: Path, entry_point: str, code: str = PAGER) -> None:
    """What pip leaves of a distribution: its metadata and its module."""
    metadata = folder / "pager-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pager\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[embedding_assets.notifiers]\n{entry_point}\n")
    (folder / "installed_pager.py").write_text(code)


def test_an_installed_notifier_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, "pager = installed_pager:Pager")
    monkeypatch.syspath_prepend(str(tmp_path))
    webhook, pager = build_notifiers("http://127.0.0.1/x", timeout_seconds=1)
    pager.notify(_NOTICE)
    assert isinstance(webhook, WebhookNotifier)
    assert type(pager).__name__ == "Pager"


@pytest.mark.parametrize(
    ("entry_point", "says"),
    [("odd = installed_pager:PAGES", "cannot be built"), ("odd = builtins:list", "has no method `notify`")],
)
def test_an_installed_notifier_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry_point: str, says: str
) -> None:
    _install(tmp_path, entry_point)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(NotificationFailed, match=says):
        build_notifiers(None, timeout_seconds=1)
