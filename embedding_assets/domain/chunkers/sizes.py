"""What a size counts: characters, or tokens by OpenAI's own tokenizers (in the splitter, offline) or by a high guess."""

from collections.abc import Callable
from dataclasses import dataclass

from semantic_text_splitter import MarkdownSplitter, TextSplitter

from embedding_assets.domain.packing import estimate_tokens

CHARACTERS = "characters"
TOKENS = "tokens"
# English text has four characters a token; a window is so much longer when sizes are in tokens.
_CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Sizes:
    """`size` and `overlap` in `unit`; `tokenizer` is the OpenAI model whose tokenizer counts, empty for the guess."""

    size: int
    overlap: int
    unit: str = CHARACTERS
    tokenizer: str = ""

    @property
    def characters(self) -> int:
        """About how many characters `size` is."""
        return self.size * (_CHARACTERS_A_TOKEN if self.unit == TOKENS else 1)

    @property
    def measure(self) -> Callable[[str], int]:
        """Of a part of a chunk; the sum over parts is never less than the whole by the tokenizer is guessed to be."""
        return estimate_tokens if self.unit == TOKENS else len

    def text_splitter(self) -> TextSplitter:
        """Cuts plain text to this size."""
        if self.unit == CHARACTERS:
            return TextSplitter(self.size, overlap=self.overlap)
        if self.tokenizer:
            return TextSplitter.from_tiktoken_model(self.tokenizer, self.size, overlap=self.overlap)
        return TextSplitter.from_callback(estimate_tokens, self.size, overlap=self.overlap)

    def markdown_splitter(self) -> MarkdownSplitter:
        """Cuts Markdown to this size."""
        if self.unit == CHARACTERS:
            return MarkdownSplitter(self.size, overlap=self.overlap)
        if self.tokenizer:
            return MarkdownSplitter.from_tiktoken_model(self.tokenizer, self.size, overlap=self.overlap)
        return MarkdownSplitter.from_callback(estimate_tokens, self.size, overlap=self.overlap)


def tokenizer_of(model_name: str) -> str:
    """The OpenAI model behind a LiteLLM name whose tokenizer the splitter knows; empty for every other model."""
    bare = model_name.removeprefix("openai/").removeprefix("azure/")
    try:
        TextSplitter.from_tiktoken_model(bare, 1)
    except Exception:  # noqa: BLE001 - the splitter raises nothing narrower for a name it does not know
        return ""
    return bare
