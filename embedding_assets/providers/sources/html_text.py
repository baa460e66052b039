"""HTML to plain text, as a reader sees it: the only place that knows lxml.

Scripts, styles and templates are dropped, entities decoded; blocks begin on lines of their own, cells stand two spaces apart.
The text is made while libxml2 reads, without a tree, and is never longer than a few times the page: layout that pads
(columns of a table, levels of a list, margins in style attributes) made 1 GB of 210 KB.
"""

# lxml ships no types: what leaves this file is typed by its signatures.
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import re
from collections.abc import Iterator, Mapping

from lxml import etree

_NEVER_SHOWN = frozenset(
    {"script", "style", "template", "noscript", "head", "iframe", "noembed", "noframes", "meta", "link"}
)
_APART = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "figure", "pre", "blockquote", "table", "dl"})
_BLOCKS = _APART | frozenset(
    {
        *(
            "address",
            "article",
            "aside",
            "body",
            "br",
            "caption",
            "center",
            "dd",
            "details",
            "dialog",
            "div",
            "dt",
            "fieldset",
        ),
        *(
            "figcaption",
            "footer",
            "form",
            "header",
            "hgroup",
            "hr",
            "html",
            "legend",
            "li",
            "listing",
            "main",
            "menu",
            "nav",
        ),
        *("ol", "optgroup", "option", "plaintext", "section", "summary", "tbody", "tfoot", "thead", "tr", "ul", "xmp"),
    }
)
_AS_WRITTEN = frozenset({"pre", "listing", "plaintext", "textarea", "xmp"})
_LISTS = frozenset({"ul", "ol", "menu"})
_CELLS = frozenset({"td", "th"})
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\n\r\f]+")
_BETWEEN_CELLS = "  "
# Deeper levels of a list are not indented further: each would cost two characters in every line below it.
_DEEPEST_INDENT = 8

_FED_AT_ONCE = 1 << 20
# A tag, its quoted values whole; without what must follow, so that nothing is ever tried twice.
_TAG = re.compile(r"""<[a-zA-Z](?:[^"'>]+|"[^"]*"|'[^']*')*""")
_QUOTED = re.compile(r""""[^"]*"|'[^']*'""")
_RAW_TEXT = re.compile(r"<(script|style)\b", re.IGNORECASE)
_RAW_TEXT_ENDS = {tag: re.compile(f"</{tag}", re.IGNORECASE) for tag in ("script", "style")}
# libxml2 takes the square of a tag's attributes: 20,000 of them took 4.4 s, 200,000 more than 7 minutes.
_MOST_ATTRIBUTES = 1000


class HtmlUnreadable(ValueError):
    """A page with a tag of so many attributes that reading it would not end."""


def html_to_text(html: str) -> tuple[str, str]:
    """The text of a page and its <title>, which is empty when it has none.

    Raises:
        HtmlUnreadable: a tag has more than 1,000 attributes.
    """
    _check_attributes(html)
    page = _Page()
    # Bytes with a fixed encoding: lxml refuses a str that declares its own. Without a tree any depth is read.
    parser = etree.HTMLParser(target=page, encoding="utf-8", huge_tree=True)
    raw = html.encode()
    try:
        for start in range(0, len(raw), _FED_AT_ONCE):
            parser.feed(raw[start : start + _FED_AT_ONCE])
        parser.close()
    except etree.XMLSyntaxError:
        # Nothing but comments, or nothing: the parser has no more to say than that it is empty.
        pass
    return page.text(), page.title


def _check_attributes(html: str) -> None:
    for tag in _tags(html):
        if len(tag) > 2 * _MOST_ATTRIBUTES and len(_QUOTED.sub(" ", tag).split()) > _MOST_ATTRIBUTES:
            msg = f"a tag of the HTML has more than {_MOST_ATTRIBUTES:,} attributes"
            raise HtmlUnreadable(msg)


def _tags(html: str) -> Iterator[str]:
    """Tags but for their last character; what stands in scripts and styles is none."""
    position = 0
    while tag := _TAG.search(html, position):
        yield tag[0]
        position = tag.end()
        if raw := _RAW_TEXT.match(tag[0]):
            closed = _RAW_TEXT_ENDS[raw[1].lower()].search(html, position)
            position = closed.start() if closed else len(html)


class _Page:
    """What the parser tells as it reads, laid out."""

    def __init__(self) -> None:
        self.title = ""
        self._titles: list[str] | None = None
        self._written: list[str] = []
        self._breaks = 0
        self._space = ""
        self._bullet = ""
        self._hidden = 0
        self._as_written = 0
        self._first_cell = True
        self._lists: list[int | None] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        if tag == "title" and not self.title and self._hidden == 1:
            self._titles = []
        if self._hidden or tag in _NEVER_SHOWN or _HIDDEN.search(attributes.get("style", "")):
            self._hidden += 1
            return
        self._begin(tag)
        if tag in _LISTS:
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._bullet = self._next_bullet()
        elif tag == "tr":
            self._first_cell = True
        elif tag in _CELLS:
            self._space = self._space if self._first_cell else _BETWEEN_CELLS
            self._first_cell = False
        elif tag == "q":
            self._write('"')
        self._as_written += tag in _AS_WRITTEN

    def end(self, tag: str) -> None:
        """An element ends."""
        if tag == "title" and self._titles is not None:
            self.title, self._titles = "".join(self._titles), None
        if self._hidden:
            self._hidden -= 1
            return
        self._as_written -= tag in _AS_WRITTEN
        if tag in _LISTS and self._lists:
            self._lists.pop()
        elif tag == "q":
            self._write('"')
        if tag == "li":
            self._bullet = ""
        if tag != "br":
            self._begin(tag)

    def data(self, text: str) -> None:
        """A piece of text; the parser cuts it as it likes."""
        if self._titles is not None:
            self._titles.append(text)
        if self._hidden:
            return
        if self._as_written:
            self._write(text)
            return
        words = _SPACES.sub(" ", text)
        if words.startswith(" "):
            self._space = self._space or " "
        if bare := words.strip(" "):
            self._write(bare)
            self._space = " " if words.endswith(" ") else ""

    def close(self) -> None:
        """The page ends."""

    def text(self) -> str:
        """Everything that was written."""
        return "".join(self._written)

    def _begin(self, tag: str) -> None:
        """On a line of its own, with a blank one before where it stands apart."""
        if tag in _BLOCKS:
            self._breaks = max(self._breaks, 2 if tag in _APART else 1)
            self._space = ""

    def _write(self, text: str) -> None:
        if self._breaks and self._written:
            self._written.append("\n" * self._breaks)
        elif self._space and self._written:
            self._written.append(self._space)
        self._written.append(self._bullet + text)
        self._breaks, self._space, self._bullet = 0, "", ""

    def _next_bullet(self) -> str:
        indent = "  " * min(max(len(self._lists) - 1, 0), _DEEPEST_INDENT)
        if not self._lists or (number := self._lists[-1]) is None:
            return f"{indent}* "
        self._lists[-1] = number + 1
        return f"{indent}{number + 1}. "
