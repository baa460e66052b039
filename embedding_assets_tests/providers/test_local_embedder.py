"""The model that needs no provider, bare and through LiteLLM."""

import logging
import subprocess
import sys
from pathlib import Path

import anyio
import numpy as np
import pytest
import wordllama

from embedding_assets.domain.failures import ErrorType, FailureClass, ProviderError
from embedding_assets.domain.models import EmbeddingModel
from embedding_assets.domain.ports import EmbeddingReply
from embedding_assets.providers.embedders import build_embedder
from embedding_assets.providers.local_embedder import LOCAL_MODEL, embed_locally

INPUTS = ["how to open a file", "opening files for reading", "the price of butter in winter"]


def _embed(name: str, inputs: list[str]) -> EmbeddingReply:
    async def run() -> EmbeddingReply:
        model = EmbeddingModel(name, 256)
        embedder = build_embedder(model, api_base=None, api_key=None, timeout_seconds=60.0, wire_format=None, extra={})
        try:
            return await embedder.embed(inputs)
        finally:
            await embedder.aclose()

    return anyio.run(run)


def test_through_litellm_come_the_same_vectors_tokens_and_no_cost() -> None:
    vectors, tokens = embed_locally(INPUTS)
    reply = _embed(LOCAL_MODEL, INPUTS)
    np.testing.assert_array_equal(reply.vectors, vectors)
    assert reply.tokens == tokens > 0
    assert reply.cost_usd == 0.0
    assert not reply.rejected


def test_vectors_are_of_unit_length_and_near_for_near_meanings() -> None:
    vectors, _ = embed_locally(INPUTS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_vectors_are_those_of_the_library_itself() -> None:
    library = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    vectors, _ = embed_locally(INPUTS)
    np.testing.assert_allclose(vectors, library.embed(INPUTS, norm=True), atol=1e-6)


def test_an_inputs_vector_does_not_depend_on_its_neighbours() -> None:
    together, _ = embed_locally([*INPUTS, "a much longer text " * 200])
    alone, _ = embed_locally(INPUTS[:1])
    np.testing.assert_array_equal(together[0], alone[0])


def test_only_an_empty_input_is_rejected_as_a_zero_vector() -> None:
    odd = [" ", "\n", "\x00", "\u200b", "日本語", "\U000e0001", "\ufffd", ""]
    reply = _embed(LOCAL_MODEL, odd)
    assert [(item.position, item.error_type) for item in reply.rejected] == [(7, ErrorType.ZERO_VECTOR)]


def test_another_local_name_is_an_unknown_model() -> None:
    with pytest.raises(ProviderError, match=LOCAL_MODEL) as caught:
        _embed("local/other", INPUTS)
    assert caught.value.failure_class is FailureClass.SYSTEMIC


def test_a_collection_with_another_dimension_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="256"):
        build_embedder(
            EmbeddingModel(LOCAL_MODEL, 512),
            api_base=None,
            api_key=None,
            timeout_seconds=60.0,
            wire_format=None,
            extra={},
        )


def test_loading_the_model_leaves_the_root_logger_as_it_was() -> None:
    program = (
        "import logging\n"
        "from embedding_assets.providers.local_embedder import embed_locally\n"
        "embed_locally(['text'])\n"
        "print(logging.getLogger().handlers, logging.getLogger().level)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"[] {logging.WARNING}"
    assert done.stderr == ""


def test_without_the_extra_the_error_says_what_to_install() -> None:
    program = (
        "import sys\n"
        "sys.modules['wordllama'] = None\n"
        "import anyio\n"
        "from embedding_assets.domain.failures import ProviderError\n"
        "from embedding_assets.domain.models import EmbeddingModel\n"
        "from embedding_assets.providers.embedders import build_embedder\n"
        "embedder = build_embedder(EmbeddingModel('local/wordllama-256', 256), api_base=None, api_key=None,\n"
        "                          timeout_seconds=60, wire_format=None, extra={})\n"
        "try:\n"
        "    anyio.run(embedder.embed, ['text'])\n"
        "except ProviderError as error:\n"
        "    print(error.error_type.value, error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("unknown_model")
    assert "pip install 'embedding-assets[local]'" in done.stdout
