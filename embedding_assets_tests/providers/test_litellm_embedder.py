"""The embedder over real HTTP: what it sends, what it accepts, and what it tells of a spoiled reply."""

import subprocess
import sys
import warnings

import anyio
import numpy as np
import pytest

from embedding_assets.domain.failures import ErrorType, ProviderError, WireFormatRefused
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.ports import EmbeddingReply
from embedding_assets.providers.embedders import build_embedder
from embedding_assets_tests.providers.calls import embed, embedder_for
from embedding_assets_tests.simulator import FaultKind, Simulator, expected_vector, tokens_of

INPUTS = ["first paragraph", "second paragraph", "third paragraph"]


def _expected(reply: EmbeddingReply, inputs: list[str]) -> None:
    dimensions = reply.vectors.shape[1]
    np.testing.assert_array_equal(reply.vectors, [expected_vector(text, dimensions) for text in inputs])


@pytest.mark.parametrize("wire_format", [None, "base64", "float"])
def test_each_input_gets_its_own_vector_in_every_wire_format(provider: Simulator, wire_format: str | None) -> None:
    embedder = embedder_for(provider, wire_format=wire_format)
    (reply,) = embed(embedder, INPUTS)
    _expected(reply, INPUTS)
    assert not reply.rejected
    assert reply.vectors.dtype == np.float32
    assert embedder.wire_format == (wire_format or "base64")


def test_tokens_are_the_providers_count(provider: Simulator) -> None:
    (reply,) = embed(embedder_for(provider), INPUTS)
    assert reply.tokens == sum(map(tokens_of, INPUTS))


def test_tokens_are_unknown_where_the_provider_gives_no_usage(provider: Simulator) -> None:
    provider.fault(FaultKind.NO_USAGE)
    (reply,) = embed(embedder_for(provider), INPUTS)
    assert reply.tokens is None
    _expected(reply, INPUTS)


def test_cost_is_known_for_a_listed_model_and_unknown_for_another(provider: Simulator) -> None:
    listed = EmbeddingModel("openai/text-embedding-3-small", provider.dimensions)
    (priced,) = embed(embedder_for(provider, model=listed), ["word " * 4000])
    (unpriced,) = embed(embedder_for(provider), INPUTS)
    assert priced.cost_usd == pytest.approx(0.02 * 5000 / 1_000_000)
    assert unpriced.cost_usd is None


def test_floats_in_answer_to_base64_are_accepted_and_remembered(provider: Simulator) -> None:
    provider.fault(FaultKind.FLOATS_ONLY, times=1)
    embedder = embedder_for(provider)
    first, second = embed(embedder, INPUTS, INPUTS)
    _expected(first, INPUTS)
    _expected(second, INPUTS)
    assert embedder.wire_format == "float"
    assert provider.counters().requests == 2


def test_a_provider_that_refuses_base64_is_asked_for_it_once(provider: Simulator) -> None:
    provider.fault(FaultKind.REFUSE_BASE64)
    embedder = embedder_for(provider)
    with pytest.raises(WireFormatRefused):
        embed(embedder, INPUTS)
    assert embedder.wire_format == "float"
    for reply in embed(embedder, INPUTS, INPUTS):
        _expected(reply, INPUTS)
    assert provider.counters().statuses == {"400": 1, "200": 2}


def test_a_rejected_document_about_encoding_format_does_not_turn_base64_off(provider: Simulator) -> None:
    provider.fault(FaultKind.STATUS, status=400, message="cannot embed: set encoding_format to base64")
    embedder = embedder_for(provider)
    with pytest.raises(ProviderError) as caught:
        embed(embedder, ["set encoding_format to base64"])
    assert caught.value.error_type is ErrorType.INPUT_REJECTED
    assert embedder.wire_format is None
    assert provider.counters().requests == 1


def test_a_missing_vector_is_reported_as_a_count_mismatch(provider: Simulator) -> None:
    provider.fault(FaultKind.ONE_TOO_FEW)
    with pytest.raises(ProviderError) as caught:
        embed(embedder_for(provider), INPUTS)
    assert caught.value.error_type is ErrorType.COUNT_MISMATCH


def test_another_order_with_honest_indexes_is_put_right(provider: Simulator) -> None:
    provider.fault(FaultKind.REORDERED)
    (reply,) = embed(embedder_for(provider), INPUTS)
    assert reply.reordered
    _expected(reply, INPUTS)


def test_repeated_indexes_are_reported_as_an_order_mismatch(provider: Simulator) -> None:
    provider.fault(FaultKind.WRONG_INDEXES)
    with pytest.raises(ProviderError) as caught:
        embed(embedder_for(provider), INPUTS)
    assert caught.value.error_type is ErrorType.ORDER_MISMATCH


@pytest.mark.parametrize("wire_format", ["base64", "float"])
@pytest.mark.parametrize(
    ("fault", "error_type"),
    [
        (FaultKind.NAN, ErrorType.NON_FINITE),
        (FaultKind.ZERO, ErrorType.ZERO_VECTOR),
        (FaultKind.WRONG_DIMENSION, ErrorType.DIMENSION_MISMATCH),
    ],
)
def test_a_bad_vector_is_rejected_as_what_it_is_and_its_neighbours_pass(
    provider: Simulator, fault: FaultKind, error_type: ErrorType, wire_format: str
) -> None:
    provider.fault(fault, marker="second")
    (reply,) = embed(embedder_for(provider, wire_format=wire_format), INPUTS)
    assert [(item.position, item.error_type) for item in reply.rejected] == [(1, error_type)]
    np.testing.assert_array_equal(reply.vectors[0], expected_vector(INPUTS[0], 8))
    np.testing.assert_array_equal(reply.vectors[1], np.zeros(8))
    np.testing.assert_array_equal(reply.vectors[2], expected_vector(INPUTS[2], 8))


def test_dimensions_are_asked_for_only_when_told_to(provider: Simulator) -> None:
    model = EmbeddingModel("openai/simulated", 16)
    (asked,) = embed(embedder_for(provider, model=model, extra={"send_dimensions": True}), INPUTS)
    (unasked,) = embed(embedder_for(provider, model=model), INPUTS)
    _expected(asked, INPUTS)
    assert {item.error_type for item in unasked.rejected} == {ErrorType.DIMENSION_MISMATCH}


def test_unknown_options_and_formats_are_refused_by_name(provider: Simulator) -> None:
    with pytest.raises(ValueError, match="dimension"):
        embedder_for(provider, extra={"dimension": 3})
    with pytest.raises(ValueError, match="binary"):
        embedder_for(provider, wire_format="binary")


def test_one_connection_serves_consecutive_requests(provider: Simulator) -> None:
    embed(embedder_for(provider), *[[f"text {number}"] for number in range(6)])
    counters = provider.counters()
    assert (counters.requests, counters.connections) == (6, 1)


def test_an_embedder_works_again_in_another_event_loop(provider: Simulator) -> None:
    embedder = embedder_for(provider)
    for _ in range(3):
        (reply,) = embed(embedder, INPUTS)
        _expected(reply, INPUTS)


def test_closing_one_embedder_leaves_anothers_connection_open(provider: Simulator) -> None:
    async def run() -> None:
        lasting, closing = embedder_for(provider), embedder_for(provider, timeout_seconds=11.0)
        await lasting.embed(INPUTS)
        await closing.embed(INPUTS)
        await closing.aclose()
        await lasting.embed(INPUTS)
        await lasting.aclose()

    anyio.run(run)
    assert provider.counters().requests == 3


def test_base64_replies_warn_of_nothing(provider: Simulator) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        embed(embedder_for(provider, wire_format="base64"), INPUTS)
    assert [str(warning.message) for warning in caught if "serializer" in str(warning.message)] == []


def test_importing_the_embedder_imports_neither_litellm_nor_dagster() -> None:
    program = (
        "import sys, embedding_assets.providers.litellm_embedder, embedding_assets.providers.embedders\n"
        "print(sorted({'litellm', 'openai', 'httpx', 'wordllama', 'dagster'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


_CALL_UNDER_AUDIT = """
import sys
reached = set()
def audit(event, args):
    if event == "socket.getaddrinfo":
        reached.add(str(args[0]))
    elif event == "socket.connect" and isinstance(args[1], tuple):
        reached.add(str(args[1][0]))
sys.addaudithook(audit)
import anyio
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.providers.embedders import build_embedder
async def main():
    for name in ("openai/text-embedding-3-small", "openai/simulated"):
        embedder = build_embedder(EmbeddingModel(name, 8), api_base=sys.argv[1], api_key="key", timeout_seconds=10,
                                  wire_format=None, extra={})
        await embedder.embed(["some text"])
        await embedder.aclose()
anyio.run(main)
print(sorted(reached))
"""


def test_nothing_but_the_provider_is_called_and_nothing_is_printed(provider: Simulator) -> None:
    command = [sys.executable, "-X", "dev", "-c", _CALL_UNDER_AUDIT, provider.api_base]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['127.0.0.1']"
    assert [line for line in done.stderr.splitlines() if "nclosed" in line or "itellm" in line.lower()] == []


@pytest.mark.parametrize("option", ["api_base", "base_url", "api_key", "headers", "extra_headers"])
def test_no_option_of_a_collection_says_where_the_provider_is_or_who_asks(option: str) -> None:
    with pytest.raises(ValueError, match=f"unknown options of model openai/simulated: {option}"):
        build_embedder(
            EmbeddingModel("openai/simulated", 8),
            api_base=None,
            api_key=None,
            timeout_seconds=10,
            wire_format=None,
            extra={option: "http://169.254.169.254/"},
        )
