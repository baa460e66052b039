"""Histories of those we call: away, refusing, slow, unreadable, silent."""

from embedding_assets_tests.ops.rule_cases.case import fires, last_seen, silent

_POLLED = 'embedding_source_last_poll_timestamp_seconds{collection="docs"}'
_CHANGED = 'embedding_source_last_change_timestamp_seconds{collection="docs"}'
_DAY = 24 * 60


def _circuit(reason: str, provider: str = "openai/embed") -> str:
    return f'embedding_circuit_open{{provider="{provider}",reason="{reason}"}}'


def _requests(up_to_ten: str, up_to_twenty: str, every: str) -> dict[str, str]:
    name = "embedding_api_request_duration_seconds"
    return {
        f'{name}_bucket{{model="openai/embed",le="10.0"}}': up_to_ten,
        f'{name}_bucket{{model="openai/embed",le="20.0"}}': up_to_twenty,
        f'{name}_bucket{{model="openai/embed",le="+Inf"}}': every,
        f'{name}_count{{model="openai/embed"}}': every,
    }


CASES = (
    fires(
        "EmbeddingProviderDown", "it answers 503 for eight minutes", "8m", {_circuit("provider_unavailable"): "1x20"}
    ),
    fires("EmbeddingProviderDown", "it cannot be reached", "8m", {_circuit("connection_failed"): "1x20"}),
    silent(
        "EmbeddingProviderDown", "it is back at the third probe", "6m", {_circuit("provider_unavailable"): "1x3 0x20"}
    ),
    fires("EmbeddingCredentialsRejected", "the key was revoked", "3m", {_circuit("credentials_rejected"): "1x20"}),
    fires("EmbeddingCredentialsRejected", "the account is out of quota", "30m", {_circuit("budget_reached"): "1x60"}),
    silent(
        "EmbeddingCredentialsRejected",
        "a key that was just exchanged is refused for half a minute",
        "3m",
        {_circuit("credentials_rejected"): "1 0x20"},
    ),
    fires(
        "EmbeddingProviderSlow",
        "half of a hundred requests take more than ten seconds",
        "25m",
        _requests("0+5x40", "0+9x40", "0+10x40"),
    ),
    silent(
        "EmbeddingProviderSlow",
        "one request in forty takes more than ten seconds",
        "25m",
        _requests("0+39x40", "0+40x40", "0+40x40"),
    ),
    silent("EmbeddingProviderSlow", "all of ten requests are slow", "25m", _requests("0x40", "0+1x40", "0+1x40")),
    fires(
        "EmbeddingSourceUnreadable",
        "a mount is gone for a quarter of an hour",
        "15m",
        {_circuit("root_unavailable", "source docs"): "1x20"},
    ),
    silent(
        "EmbeddingSourceUnreadable",
        "a file server restarts in eight minutes",
        "15m",
        {_circuit("root_unavailable", "source docs"): "1x8 0x20"},
    ),
    fires(
        "EmbeddingSourceNotPolled",
        "after a day of polls every five minutes there is none for three quarters of an hour",
        f"{_DAY + 45}m",
        {_POLLED: last_seen(_DAY + 50, step=5, stops_at=_DAY, every=5)},
        every="5m",
    ),
    silent(
        "EmbeddingSourceNotPolled",
        "a day of polls, and then the collection was paused",
        f"{_DAY + 45}m",
        {
            _POLLED: last_seen(_DAY + 50, step=5, stops_at=_DAY, every=5),
            'embedding_collection_paused{collection="docs"}': "0x288 1x20",
        },
        every="5m",
    ),
    silent(
        "EmbeddingSourceNotPolled",
        "a source that is polled every hour",
        f"{_DAY + 55}m",
        {_POLLED: last_seen(_DAY + 60, step=60, every=5)},
        every="5m",
    ),
    silent(
        "EmbeddingSourceNotPolled",
        "polls every five minutes, and none for a quarter of an hour",
        f"{_DAY + 15}m",
        {_POLLED: last_seen(_DAY + 20, step=5, stops_at=_DAY, every=5)},
        every="5m",
    ),
    fires(
        "EmbeddingSourceSilent",
        "something changed every hour for a week, and nothing for two days",
        "210h",
        {_CHANGED: "0+3600x168 604800x60"},
        every="1h",
    ),
    silent(
        "EmbeddingSourceSilent",
        "something changed every hour for a week, and nothing last night",
        "186h",
        {_CHANGED: "0+3600x168 604800x60"},
        every="1h",
    ),
    silent(
        "EmbeddingSourceSilent",
        "a manual that changes twice a week has not for five days",
        "290h",
        {_CHANGED: "0x84 302400x84 604800x124"},
        every="1h",
    ),
)
