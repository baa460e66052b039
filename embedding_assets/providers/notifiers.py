"""Whom to tell: the webhook of the settings, and notifiers that other packages register.

Another distribution adds one by an entry point in the group `embedding_assets.notifiers`: its object is called without
arguments and returns a `Notifier`; installed, it is told. Not here: what there is to tell (domain/notices), or when.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from http.client import HTTPException
from importlib.metadata import entry_points
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from embedding_assets.domain.failures import NotificationFailed
from embedding_assets.domain.notices import EscalationNotice, Notice
from embedding_assets.domain.ports import Notifier

ENTRY_POINT_GROUP = "embedding_assets.notifiers"
_SETTING = "EMBEDDING_ASSETS_NOTIFY_WEBHOOK_URL"


class WebhookNotifier:
    """Posts a notice as JSON to a URL of the operator's, http or https; an answer of 2xx is being told."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._opener = build_opener(_NoRedirects)

    def notify(self, notice: Notice) -> None:
        """Post it, once.

        Raises:
            NotificationFailed: another answer, or none in time. It never shows the URL, which may be a secret.
        """
        headers = {"Content-Type": "application/json", "User-Agent": "embedding-assets"}
        try:
            request = Request(self._url, json.dumps(_body(notice)).encode(), headers, method="POST")  # noqa: S310 - http(s): settings
            with self._opener.open(request, timeout=self._timeout_seconds):
                return
        except HTTPError as error:
            error.close()
            raise NotificationFailed(f"the webhook of {_SETTING} answered HTTP {error.code}") from None
        except TimeoutError:
            message = f"the webhook of {_SETTING} did not answer within {self._timeout_seconds:g} s"
            raise NotificationFailed(message) from None
        except (OSError, HTTPException, ValueError) as error:
            kind = type(getattr(error, "reason", error)).__name__
            raise NotificationFailed(f"the webhook of {_SETTING} cannot be reached ({kind})") from None


class _NoRedirects(HTTPRedirectHandler):
    """A redirected POST becomes a GET without its body, whose answer would pass for having told somebody."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def build_notifiers(webhook_url: str | None, *, timeout_seconds: float) -> list[Notifier]:
    """Everybody there is to tell; nobody where no URL is given and nothing is registered.

    Raises:
        NotificationFailed: what a package registered cannot be loaded, or is no notifier.
    """
    found: list[Notifier] = [WebhookNotifier(webhook_url, timeout_seconds=timeout_seconds)] if webhook_url else []
    for point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            notifier: Any = point.load()()
        except Exception as error:
            message = f"the notifier {point.name!r} ({point.value}) cannot be built: {type(error).__name__}"
            raise NotificationFailed(message) from error
        if not callable(getattr(notifier, "notify", None)):
            raise NotificationFailed(f"the notifier {point.name!r} ({point.value}) has no method `notify`")
        found.append(notifier)
    return found


def _body(notice: Notice) -> Mapping[str, object]:
    """What is posted. `text` says it in one line, which is all that many chat systems show."""
    common: dict[str, object] = {
        "event": "documents_escalated" if isinstance(notice, EscalationNotice) else "runs_failed",
        "collection": notice.collection,
        "count": notice.count,
        "text": notice.sentence,
        "examples": [{name: _plain(value) for name, value in asdict(one).items()} for one in notice.examples],
    }
    return common | ({"error_types": dict(notice.error_types)} if isinstance(notice, EscalationNotice) else {})


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
