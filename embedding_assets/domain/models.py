"""Embedding models, their inputs, and the fingerprints that keep two models' vectors apart.

Not here: calling a model (providers) or its table (store/vectors).
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

# pgvector's HNSW indexes a `vector` of at most 2,000 dimensions and a `halfvec` of at most 4,000 (its README).
MAX_INDEXED_DIMENSIONS = {"vector": 2000, "halfvec": 4000}

DEFAULT_INPUT_TEMPLATE = "{content}"
BETWEEN_HEADINGS = " > "

_PLACEHOLDER = re.compile(r"\{(title|headings|content)\}")
_LIKE_A_PLACEHOLDER = re.compile(r"\{[ \t]*[A-Za-z_][\w .-]*\}")
# Of the title, and of the headings together: what an input has beside its content is bounded, so that a title of a page's
# length neither crowds the content out of every input nor makes each longer than the model's context.
LONGEST_LABEL = 500


class Distance(str, Enum):
    """How nearness is measured; the value is the pgvector operator class's stem."""

    COSINE = "cosine"
    INNER_PRODUCT = "ip"
    L2 = "l2"


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A model as LiteLLM names it, and everything that makes its vectors comparable with one another.

    `input_template` may use `{title}`, `{headings}` and `{content}`; it is part of the fingerprint, because the same chunk
    under another template is another input.
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

    @property
    def uses_headings(self) -> bool:
        """Whether an input holds the headings its chunk stands under."""
        return "{headings}" in self.input_template

    def input_for(self, content: str, title: str, headings: Sequence[str] = ()) -> str:
        """The exact text sent for a chunk: one pass of literal replacement, so braces in a document stay as they are.

        Of the title the first 500 characters; of the headings, outermost first and joined by ` > `, the innermost that fit
        into as many.
        """
        if self.input_template == DEFAULT_INPUT_TEMPLATE:
            return content
        values = {"title": title[:LONGEST_LABEL], "headings": _joined(headings), "content": content}
        return _PLACEHOLDER.sub(lambda found: values[found[1]], self.input_template)


def template_mistake(template: str) -> str:
    """What is allowed, where a template has no content or a placeholder that is none of ours; empty for a good one."""
    found = [one[0] for one in _LIKE_A_PLACEHOLDER.finditer(template)]
    unknown = [one for one in found if not _PLACEHOLDER.fullmatch(one)]
    if not unknown and "{content}" in template:
        return ""
    beside = f"; {', '.join(unknown)} is not one of them" if unknown else ""
    return "a text with {content} in it, and {title} and {headings} if wanted" + beside


def _joined(headings: Sequence[str]) -> str:
    path = ""
    for heading in reversed(headings):
        longer = f"{heading[:LONGEST_LABEL]}{BETWEEN_HEADINGS}{path}" if path else heading[:LONGEST_LABEL]
        if len(longer) > LONGEST_LABEL:
            break
        path = longer
    return path


def input_hash(text: str) -> bytes:
    """SHA-256 of an input; 32 bytes. It is the vector's primary key within one model's table."""
    return hashlib.sha256(text.encode()).digest()
