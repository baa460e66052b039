"""Packing: inputs of many documents into provider requests, under two caps; and a high guess of their tokens.

Not here: sending a request (providers) or asking the shared limit for it (store).
"""

import string
from dataclasses import dataclass
from typing import Generic, TypeVar

_Item = TypeVar("_Item")

_LETTERS_AND_SPACES = (string.ascii_letters + " ").encode()
_ASCII = bytes(range(128))


@dataclass(frozen=True, slots=True)
class PackingCaps:
    """The most one request may hold; both are at least 1."""

    max_inputs: int
    max_tokens: int

    def __post_init__(self) -> None:
        if self.max_inputs < 1 or self.max_tokens < 1:
            message = f"a request must have room for 1 input and 1 token, not {self.max_inputs} and {self.max_tokens}"
            raise ValueError(message)


class Packer(Generic[_Item]):
    """Collects items in the order they come, into batches within the caps.

    An item of more tokens than `max_tokens` makes a batch of its own: only the provider can tell whether it fits.
    """

    def __init__(self, caps: PackingCaps) -> None:
        self._caps = caps
        self._batch: list[_Item] = []
        self._tokens = 0

    def add(self, item: _Item, tokens: int) -> list[_Item] | None:
        """The batch that is full now, never empty, or None; the item is in it, or in the next one."""
        full = self.flush() if self._batch and self._tokens + tokens > self._caps.max_tokens else None
        self._batch.append(item)
        self._tokens += tokens
        if full is None and len(self._batch) >= self._caps.max_inputs:
            return self.flush()
        return full

    def flush(self) -> list[_Item]:
        """What was added and has not been given out; may be empty."""
        batch, self._batch, self._tokens = self._batch, [], 0
        return batch


def estimate_tokens(text: str) -> int:
    """A guess, meant to be too high, of what any provider's tokenizer makes of a text; at least 1.

    Two tokens for five ASCII letters or spaces, one for every other ASCII character (tokenizers split digits and
    punctuation singly at worst), two for three bytes of anything else (a Chinese character), and one for the text.

    Measured with the tokenizers cl100k, o200k and Llama 2's on chunks of 800 characters, as tokens found per token
    guessed: Python's documentation 0.47-0.74, its code 0.47-0.97, Chinese prose 0.35-0.62, Russian 0.21-0.31, JSON
    0.64-0.80: never too low. A third of the UTF-8 bytes was too low by 1.7 on code and 3.0 on tables of numbers.
    Base64 (by up to 1.7), scripts a tokenizer does not know and numbers under Llama 2 (1.5) exceed the guess.
    """
    raw = text.encode()
    not_letters = raw.translate(None, _LETTERS_AND_SPACES)
    beyond_ascii = len(raw.translate(None, _ASCII))
    letters = len(raw) - len(not_letters)
    fifteenths = 6 * letters + 15 * (len(not_letters) - beyond_ascii) + 10 * beyond_ascii
    return -(-fifteenths // 15) + 1
