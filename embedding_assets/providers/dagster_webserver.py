"""Dagster's GraphQL API over plain HTTP, without importing Dagster: a question goes in, its data comes out.

Not here: which questions there are (dagster_runs).
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, cast

import httpx
from typing_extensions import Self

from embedding_assets.domain.failures import EmbeddingAssetsError
from embedding_assets.domain.redaction import redacted

_TIMEOUT_SECONDS = 30.0
_LONGEST = 500


class DagsterAway(EmbeddingAssetsError):
    """The webserver or what is behind it does not answer just now; asking again may help."""


class DagsterRefused(EmbeddingAssetsError):
    """It answered, and will answer the same again: no Dagster webserver there, no right, a question it does not know."""


class DagsterWebserver:
    """A webserver of Dagster's at `url`. Asks once and never by itself again; redirects are not followed."""

    def __init__(self, url: str) -> None:
        self.shown = redacted(url)
        self._client = httpx.Client(timeout=_TIMEOUT_SECONDS, headers={"User-Agent": "embedding-assets"})
        self._endpoint = f"{url.rstrip('/')}/graphql"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(self, query: str, variables: Mapping[str, object]) -> dict[str, Any]:
        """The `data` of the answer.

        Raises:
            DagsterAway: no answer, or a failure of the moment.
            DagsterRefused: an answer that will not change.
        """
        try:
            response = self._client.post(self._endpoint, json={"query": query, "variables": dict(variables)})
        except httpx.InvalidURL as error:
            raise DagsterRefused(f"{self.shown} is no address of a webserver: {error}") from None
        except httpx.HTTPError as error:
            raise DagsterAway(f"{self.shown} does not answer ({type(error).__name__})") from None
        body = _json(response)
        # Its failures come as JSON with status 500: the storage is away, or a resolver has a fault.
        if response.status_code >= 500 or response.status_code == 429:
            raise DagsterAway(f"{self.shown} answered HTTP {response.status_code}{_messages(body)}")
        if response.status_code != 200 or body is None:
            raise DagsterRefused(
                f"{self.shown} answered HTTP {response.status_code}{_messages(body) or ', which is no GraphQL'}"
            )
        if body.get("errors") or not isinstance(body.get("data"), dict):
            raise DagsterAway(f"{self.shown} failed{_messages(body)}")
        return cast("dict[str, Any]", body["data"])


def _json(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return cast("dict[str, Any]", body) if isinstance(body, dict) else None


def _messages(body: Mapping[str, Any] | None) -> str:
    errors = (body or {}).get("errors")
    if not isinstance(errors, list):
        return ""
    said = "; ".join(str(one.get("message", "")) for one in cast("list[Any]", errors) if isinstance(one, dict))
    line = redacted(" ".join(said.split()))
    return f": {line[:_LONGEST]}" if line else ""
