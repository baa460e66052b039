"""Embedding models, their inputs, and the fingerprints that keep two models' vectors apart.

Not here: calling a model (providers) or its table (store/vectors).
"""

import hashlib
from dataclasses import dataclass
from enum import Enum

# pgvector's HNSW indexes a `vector` of at most 2,000 dimensions and a `halfvec` of at most 4,000 (its README).
MAX_INDEXED_DIMENSIONS = {"vector": 2000, "halfvec": 4000}

DEFAULT_INPUT_TEMPLATE = "{content}"


class Distance(str, Enum):
    """How nearness is measured; the value is the pgvector operator class's stem."""

    COSINE = "cosine"
    INNER_PRODUCT = "ip"
    L2 = "l2"


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A model as LiteLLM names it, and everything that makes its vectors comparable with one another.

    `input_template` may use `{title}` and `{content}`; it is part of the fingerprint, because the same chunk under
    another template is another input.
    """

    name: str
    dimensions: int
    storage: str = "vector"
    distance: Distance = Distance.COSINE
    input_template: str = DEFAULT_INPUT_TEMPLATE
    normalized: bool = False

    @property
    def fingerprint(self) -> str:
        """16 hex digits over name, dimensions, storage, distance, template and normalisation."""
        facts = (self.name, self.dimensions, self.storage, self.distance.value, self.input_template, self.normalized)
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    def input_for(self, content: str, title: str) -> str:
        """The exact text sent for a chunk: literal replacement, so braces inside a document stay as they are."""
        if self.input_template == DEFAULT_INPUT_TEMPLATE:
            return content
        parts = self.input_template.split("{content}")
        return content.join(part.replace("{title}", title) for part in parts)


def input_hash(text: str) -> bytes:
    """SHA-256 of an input; 32 bytes. It is the vector's primary key within one model's table."""
    return hashlib.sha256(text.encode()).digest()
