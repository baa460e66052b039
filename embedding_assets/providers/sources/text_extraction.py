"""From a file's bytes to a document's text and title: which extension is read in which way.

Not here: finding and opening files (directory.py), splitting text (domain/chunking).
"""

import itertools
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.providers.sources.html_text import HtmlUnreadable, html_to_text

_TITLE_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class ExtractedText:
    """What a file says. `title` is its own (empty when it names none), in one line of at most 300 characters."""

    content: str
    title: str


def extension_of(key: str) -> str:
    """The extension of a key's last part, in lower case and with its dot; empty when there is none."""
    return posixpath.splitext(key)[1].lower()


def text_encoding(encoding: str) -> str:
    """The encoding, which Python knows.

    Raises:
        ValueError: it does not.
    """
    try:
        "x".encode(encoding)
    except LookupError:
        msg = f"encoding = {encoding!r} is not a text encoding Python knows, such as 'utf-8' or 'cp1252'"
        raise ValueError(msg) from None
    return encoding


def extract_text(key: str, raw: bytes, encoding: str) -> ExtractedText:
    """The text of a file, by its extension; unknown extensions are plain text.

    Raises:
        SourceError: `undecodable` when the bytes are not text in `encoding`, hold a NUL, or are HTML that cannot be read.
    """
    text = _decode(key, raw, encoding)
    content, title = _EXTRACTIONS.get(extension_of(key), _from_plain)(text)
    return ExtractedText(content, " ".join(title.split())[:_TITLE_CHARACTERS].rstrip())


def _decode(key: str, raw: bytes, encoding: str) -> str:
    try:
        text = raw.decode(encoding)
        # Some codecs (utf-7, unicode_escape) produce lone surrogates, which UTF-8 and so PostgreSQL cannot hold.
        text.encode()
    except UnicodeError as error:
        where = f" at position {error.start}" if isinstance(error, (UnicodeDecodeError, UnicodeEncodeError)) else ""
        msg = f"{key!r} is not {encoding} text{where}; convert the file, exclude it, or set the source's `encoding`"
        raise SourceError(ErrorType.UNDECODABLE, msg) from None
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    nul = text.find("\x00")
    if nul >= 0:
        msg = f"{key!r} holds a NUL at character {nul}, which PostgreSQL cannot hold; remove it or exclude the file"
        raise SourceError(ErrorType.UNDECODABLE, msg)
    return text


def _from_plain(text: str) -> tuple[str, str]:
    return text, ""


def _from_html(text: str) -> tuple[str, str]:
    try:
        return html_to_text(text)
    except HtmlUnreadable as error:
        msg = f"{error}; simplify the file or exclude it"
        raise SourceError(ErrorType.UNDECODABLE, msg) from None


_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n.*?^\1[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*")
_SETEXT_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")


def _from_markdown(text: str) -> tuple[str, str]:
    return text, _markdown_heading(_FRONT_MATTER.sub("", text, count=1).split("\n"))


def _markdown_heading(lines: list[str]) -> str:
    """The first heading outside fenced code, `# so` or underlined."""
    fence = previous = ""
    for line in lines:
        opened = _FENCE.match(line)
        if opened and not fence:
            fence = opened[1]
        elif fence:
            fence = "" if line.strip().startswith(fence) else fence
        elif (heading := _ATX_HEADING.fullmatch(line)) and heading[1]:
            return heading[1]
        elif previous and _SETEXT_UNDERLINE.fullmatch(line):
            return previous
        previous = "" if fence or opened or line[:1] in {">", "-", "*", "|"} else line.strip()
    return ""


_RST_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1+[ \t]*")


def _from_rst(text: str) -> tuple[str, str]:
    return text, _rst_title(text.split("\n"))


def _rst_title(lines: list[str]) -> str:
    """The first line that is underlined (or over- and underlined) with punctuation."""
    for line, below in itertools.pairwise(lines):
        title = line.strip()
        if title and _RST_ADORNMENT.fullmatch(below) and not _RST_ADORNMENT.fullmatch(line):
            return title
    return ""


_EXTRACTIONS: Final[dict[str, Callable[[str], tuple[str, str]]]] = {
    ".txt": _from_plain,
    ".md": _from_markdown,
    ".markdown": _from_markdown,
    ".rst": _from_rst,
    ".html": _from_html,
    ".htm": _from_html,
}
DOCUMENT_EXTENSIONS = frozenset(_EXTRACTIONS)
"""What is taken for a document unless a glob names another extension."""
