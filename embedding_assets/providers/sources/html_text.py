"""HTML to plain text, as inscriptis lays it out: the only place that knows lxml and inscriptis.

Scripts, styles and templates are dropped, entities decoded, tables and lists kept readable.
"""

# lxml and inscriptis ship no types: what leaves this file is typed by its signatures.
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from typing import Any

from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.html_engine import Inscriptis
from inscriptis.html_properties import Display
from inscriptis.model.config import ParserConfig
from inscriptis.model.html_element import HtmlElement
from lxml import etree
from lxml.html import HTMLParser, document_fromstring

_NEVER_SHOWN = ("script", "style", "template", "noscript", "head")
# "strict" indents no <div>: under "relaxed" every level of nesting costs two spaces a line, and those cost tokens.
_LAYOUT = {**CSS_PROFILES["strict"], **{tag: HtmlElement(display=Display.none) for tag in _NEVER_SHOWN}}


class HtmlTooDeep(ValueError):
    """Elements nested deeper than libxml2 reads (2048): what is below would be lost without a word."""


def html_to_text(html: str) -> tuple[str, str]:
    """The text of a page and its <title>, which is empty when it has none.

    Raises:
        HtmlTooDeep: the page nests more than 2048 elements.
    """
    # Bytes with a fixed encoding: lxml refuses a str that declares its own. huge_tree raises the depth from 256.
    parser = HTMLParser(encoding="utf-8", huge_tree=True)
    try:
        page: Any = document_fromstring(html.encode(), parser=parser)
    except etree.ParserError:
        return "", ""
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        msg = "the HTML nests more than 2048 elements, the rest would be lost"
        raise HtmlTooDeep(msg)
    title = page.findtext("head/title") or ""
    try:
        return Inscriptis(page, ParserConfig(css=_LAYOUT)).get_text(), title
    except RecursionError:
        return _without_layout(page), title


def _without_layout(page: Any) -> str:
    """The text alone: inscriptis recurses once per nested element and gives up near 1000."""
    etree.strip_elements(page, *_NEVER_SHOWN, etree.Comment, with_tail=False)
    return "".join(page.itertext())
