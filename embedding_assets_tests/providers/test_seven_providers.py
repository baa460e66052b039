"""OpenAI, Azure, Vertex AI, Bedrock, Cohere, Voyage and Ollama through LiteLLM over real HTTP.

Each refusal has its type and costs one request, whatever the provider calls it.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import anyio
import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from embedding_assets.domain.failures import ErrorType, ProviderError, WireFormatRefused
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.ports import EmbeddingReply
from embedding_assets.providers.embedders import build_embedder
from embedding_assets_tests.providers.loopback import DIMENSIONS, RESET, SILENCE, LoopbackProvider, Said
from embedding_assets_tests.providers.wordings import CLOUDS
from embedding_assets_tests.simulator import expected_vector

# LiteLLM's own types, when they are first looked at.
pytestmark = pytest.mark.filterwarnings("ignore:.*using the `ReadOnly` qualifier:UserWarning")

_REFUSALS = [(cloud, name) for cloud, facts in CLOUDS.items() for name in facts.refusals]
_NAMES = list(CLOUDS)


@pytest.fixture(scope="session")
def running() -> Iterator[LoopbackProvider]:
    with LoopbackProvider() as provider:
        yield provider


@pytest.fixture(scope="session")
def service_account(running: LoopbackProvider) -> str:
    """Credentials for Vertex AI whose token comes from the same loopback provider."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    facts = {"type": "service_account", "project_id": "p", "private_key_id": "1", "client_id": "1"}
    account = {"private_key": pem.decode(), "client_email": "a@p.invalid", "token_uri": f"{running.base_url}/token"}
    return json.dumps({**facts, **account})


@pytest.fixture
def provider(
    running: LoopbackProvider, service_account: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LoopbackProvider]:
    monkeypatch.setenv("VERTEXAI_CREDENTIALS", service_account)
    running.says = None
    running.paths.clear()
    yield running
    running.says = None


def _ask(base_url: str, cloud: str, *inputs: str, timeout_seconds: float = 20.0) -> EmbeddingReply:
    facts = CLOUDS[cloud]
    embedder = build_embedder(
        EmbeddingModel(facts.model, DIMENSIONS),
        api_base=base_url + facts.path,
        api_key="a-key",
        timeout_seconds=timeout_seconds,
        wire_format=None,
        extra=facts.options,
    )

    async def run() -> EmbeddingReply:
        await embedder.prepare()
        try:
            while True:
                try:
                    return await embedder.embed(inputs)
                except WireFormatRefused:
                    continue
        finally:
            await embedder.aclose()

    return anyio.run(run)


def _failure(provider: LoopbackProvider, cloud: str, says: Said | str, **options: float) -> ProviderError:
    provider.says = says
    with pytest.raises(ProviderError) as caught:
        _ask(provider.base_url, cloud, "some text", **options)
    assert len(provider.paths) == 1
    return caught.value


@pytest.mark.parametrize("cloud", _NAMES)
def test_vectors_come_back_for_their_inputs_in_one_request(provider: LoopbackProvider, cloud: str) -> None:
    reply = _ask(provider.base_url, cloud, "first", "second")
    expected = [expected_vector(text, DIMENSIONS) for text in ("first", "second")]
    np.testing.assert_allclose(reply.vectors, expected, rtol=1e-6)
    assert len(provider.paths) == 1


@pytest.mark.parametrize(("cloud", "name"), _REFUSALS)
def test_a_refusal_in_the_providers_own_words_has_its_type(provider: LoopbackProvider, cloud: str, name: str) -> None:
    said, error_type = CLOUDS[cloud].refusals[name]
    failure = _failure(provider, cloud, said)
    assert (failure.error_type, failure.status) == (error_type, said.status)


@pytest.mark.parametrize("cloud", _NAMES)
@pytest.mark.parametrize(
    ("status", "error_type"),
    [
        (413, ErrorType.INPUT_REJECTED),
        (502, ErrorType.PROVIDER_UNAVAILABLE),
        (529, ErrorType.PROVIDER_UNAVAILABLE),
        (200, ErrorType.MALFORMED_REPLY),
    ],
)
def test_a_proxys_web_page_has_the_type_of_its_status(
    provider: LoopbackProvider, cloud: str, status: int, error_type: ErrorType
) -> None:
    assert _failure(provider, cloud, Said(status, "<html>nginx</html>")).error_type is error_type


@pytest.mark.parametrize("cloud", _NAMES)
def test_retry_after_is_read_in_seconds_and_as_a_date(provider: LoopbackProvider, cloud: str) -> None:
    said, _ = CLOUDS[cloud].refusals["429"]
    failure = _failure(provider, cloud, Said(429, said.body, {**said.headers, "Retry-After": "7"}))
    assert (failure.error_type, failure.retry_after) == (ErrorType.RATE_LIMITED, 7.0)
    provider.paths.clear()
    in_an_hour = format_datetime(datetime.now(timezone.utc) + timedelta(hours=1), usegmt=True)
    failure = _failure(provider, cloud, Said(429, said.body, {**said.headers, "Retry-After": in_an_hour}))
    assert failure.error_type is ErrorType.RATE_LIMITED
    assert 0 < (failure.retry_after or 0) <= 3600


@pytest.mark.parametrize("cloud", _NAMES)
def test_a_reply_in_another_shape_is_malformed(provider: LoopbackProvider, cloud: str) -> None:
    failure = _failure(provider, cloud, Said(200, ["not", "an", "embeddings", "reply"]))
    assert failure.error_type is ErrorType.MALFORMED_REPLY


@pytest.mark.parametrize("cloud", _NAMES)
def test_a_connection_that_is_cut_is_not_tried_again_by_the_library(provider: LoopbackProvider, cloud: str) -> None:
    assert _failure(provider, cloud, RESET).error_type is ErrorType.CONNECTION_FAILED


@pytest.mark.parametrize("cloud", _NAMES)
def test_a_provider_that_does_not_answer_is_asked_once(provider: LoopbackProvider, cloud: str) -> None:
    _ask(provider.base_url, cloud, "so that nothing has to be loaded any more")
    provider.paths.clear()
    assert _failure(provider, cloud, SILENCE, timeout_seconds=0.5).error_type is ErrorType.PROVIDER_TIMEOUT


@pytest.mark.parametrize("cloud", _NAMES)
@pytest.mark.usefixtures("provider")
def test_a_provider_that_is_not_there_cannot_be_reached(cloud: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_at_once:
        port = closed_at_once.getsockname()[1]
    with pytest.raises(ProviderError) as caught:
        _ask(f"http://127.0.0.1:{port}", cloud, "some text")
    assert caught.value.error_type is ErrorType.CONNECTION_FAILED


@pytest.mark.parametrize(
    ("account", "error_type"),
    [
        ({"private_key": "no key"}, ErrorType.CREDENTIALS_REJECTED),
        ({"token_uri": "/refused"}, ErrorType.CREDENTIALS_REJECTED),
        ({"token_uri": "/out-of-order"}, ErrorType.CONNECTION_FAILED),
        ({"token_uri": "http://127.0.0.1:9/token"}, ErrorType.CONNECTION_FAILED),
    ],
)
def test_a_token_that_google_does_not_give_is_told_from_one_it_cannot(
    provider: LoopbackProvider,
    service_account: str,
    monkeypatch: pytest.MonkeyPatch,
    account: dict[str, str],
    error_type: ErrorType,
) -> None:
    if account.get("token_uri", "").startswith("/"):
        account = {"token_uri": provider.base_url + account["token_uri"]}
    monkeypatch.setenv("VERTEXAI_CREDENTIALS", json.dumps({**json.loads(service_account), **account}))
    provider.says = Said(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
    if "out-of-order" in account.get("token_uri", ""):
        provider.says = Said(503, {"error": "backend_error"})
    with pytest.raises(ProviderError) as caught:
        _ask(provider.base_url, "vertex", "some text")
    assert caught.value.error_type is error_type
    assert not [path for path in provider.paths if path.endswith(":predict")]


def test_amazons_keys_sign_requests_and_none_is_a_matter_of_credentials(
    provider: LoopbackProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    facts = CLOUDS["bedrock"]
    embedder = build_embedder(
        EmbeddingModel(facts.model, DIMENSIONS),
        api_base=provider.base_url,
        api_key=None,
        timeout_seconds=20,
        wire_format=None,
        extra=facts.options,
    )

    async def run() -> EmbeddingReply:
        try:
            return await embedder.embed(["some text"])
        finally:
            await embedder.aclose()

    with pytest.raises(ProviderError) as caught:
        anyio.run(run)
    assert (caught.value.error_type, provider.paths) == (ErrorType.CREDENTIALS_REJECTED, [])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "dummy")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "dummy")
    assert anyio.run(run).rejected == ()


_CALLS_UNDER_AUDIT = """
import json, sys
reached = set()
def audit(event, args):
    if event == "socket.getaddrinfo":
        reached.add(str(args[0]))
    elif event == "socket.connect" and isinstance(args[1], tuple):
        reached.add(str(args[1][0]))
sys.addaudithook(audit)
from embedding_assets.domain.failures import ProviderError
from embedding_assets_tests.providers import test_seven_providers as calls
for cloud in calls.CLOUDS:
    try:
        calls._ask(sys.argv[1], cloud, "some text")
    except ProviderError:
        pass
print(json.dumps(sorted(reached)))
"""


def test_nothing_but_the_provider_is_called(provider: LoopbackProvider) -> None:
    command = [sys.executable, "-c", _CALLS_UNDER_AUDIT, provider.base_url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # LiteLLM asks an Ollama on this machine about its model, wherever the collection's one is.
    assert set(json.loads(done.stdout)) <= {"127.0.0.1", "localhost", "::1"}
    assert len(provider.paths) == len(CLOUDS)
