"""What the simulated provider answers: vectors and token counts that follow from the text alone.

A test computes the expected vector itself and compares it with what was stored. Not here: HTTP (app).
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

CHARACTERS_PER_TOKEN = 4


def expected_vector(text: str, dimensions: int) -> NDArray[np.float32]:
    """The unit vector of a text: float32 of shape (dimensions,), seeded by the text's SHA-256."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    vector = np.random.default_rng(seed).standard_normal(dimensions)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def tokens_of(text: str) -> int:
    """Four characters count as one token, and no text counts as none."""
    return max(1, len(text) // CHARACTERS_PER_TOKEN)
