"""The bodies the simulated provider answers with, honest and spoiled.

Not here: which fault applies when, status codes (app).
"""

import base64
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from embedding_assets_tests.simulator.faults import Fault, FaultKind
from embedding_assets_tests.simulator.vectors import expected_vector, tokens_of

Item: TypeAlias = dict[str, object]


def error_body(message: str, code: str | None) -> dict[str, object]:
    """An error as OpenAI words it."""
    kind = code or "simulated_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def reply_body(
    inputs: Sequence[str], *, model: str, dimensions: int, encoding_format: str | None, fault: Fault | None
) -> dict[str, object]:
    """A reply to these inputs; `fault` spoils the vectors, their number or their indexes."""
    kind = fault.kind if fault else None
    encoded = _as_base64 if encoding_format == "base64" and kind is not FaultKind.FLOATS_ONLY else _as_floats
    items: list[Item] = [
        {"object": "embedding", "index": index, "embedding": encoded(_vector(text, dimensions, fault))}
        for index, text in enumerate(inputs)
    ]
    tokens = sum(map(tokens_of, inputs))
    body: dict[str, object] = {"object": "list", "model": model, "data": _arranged(items, kind)}
    if kind is not FaultKind.NO_USAGE:
        body["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return body


def _vector(text: str, dimensions: int, fault: Fault | None) -> NDArray[np.float32]:
    vector = expected_vector(text, dimensions)
    if fault is None or not fault.matches_input(text):
        return vector
    if fault.kind is FaultKind.NAN:
        vector[0] = np.nan
    elif fault.kind is FaultKind.ZERO:
        vector[:] = 0
    elif fault.kind is FaultKind.HUGE:
        vector[0] = 70_000
    elif fault.kind is FaultKind.WRONG_DIMENSION:
        return expected_vector(text, dimensions + 1)
    return vector


def _as_base64(vector: NDArray[np.float32]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _as_floats(vector: NDArray[np.float32]) -> list[float]:
    return [float(value) for value in vector]


def _arranged(items: list[Item], kind: FaultKind | None) -> list[Item]:
    if kind is FaultKind.ONE_TOO_FEW:
        return items[:-1]
    if kind is FaultKind.REORDERED:
        return items[::-1]
    if kind is FaultKind.WRONG_INDEXES:
        return [{**item, "index": 0} for item in items]
    if kind is FaultKind.SHIFTED_INDEXES:
        return [{**item, "index": index} for index, item in enumerate(items, start=1)]
    return items
