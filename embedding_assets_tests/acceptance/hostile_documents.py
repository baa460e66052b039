"""Documents that want to break something, and what must become of each. Not here: running them (test_hostile_documents)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from embedding_assets.domain.documents import Document, ListedDocument
from embedding_assets.domain.failures import ErrorType
from embedding_assets.providers.sources.text_extraction import extract_text


@dataclass(frozen=True, slots=True)
class Hostile:
    """A file's name and bytes; `fails` as what, or its published chunks say `says` and never `never`."""

    key: str
    data: bytes
    fails: ErrorType | None = None
    says: str = ""
    never: tuple[str, ...] = ()


_PAGE = b"""<html><head><title>T &amp; t</title><script>secret()</script><style>p{secret:1}</style></head>
<body onload="secret()"><p>Tea &lt;green&gt; &#8364;3 &copy;</p><script>var a = "<p>secret</p>"</script>
<svg><script>secret</script></svg><iframe><script>secret</script></iframe><!-- secret --></body></html>"""

CASES = {
    "empty": Hostile("empty.md", b""),
    "blank": Hostile("blank.md", b" \n\t\r\n\x1c"),
    "nul bytes": Hostile("nul.md", b"one\x00two", ErrorType.UNDECODABLE),
    "invalid utf-8": Hostile("latin.md", "café".encode("latin-1"), ErrorType.UNDECODABLE),
    "utf-16": Hostile("wide.md", "text".encode("utf-16"), ErrorType.UNDECODABLE),
    "surrogates in utf-8": Hostile("surrogate.md", b"half \xed\xa0\x80 a pair", ErrorType.UNDECODABLE),
    "a long line": Hostile("line.md", b"x" * 10_000, says="x" * 120),
    "emoji and marks": Hostile(
        "emoji.md", "👩\u200d👧 e\u0301 \u0928\u093f \U0001f1e9\U0001f1ea".encode(), says="👩\u200d👧 e\u0301"
    ),
    "nothing but marks": Hostile("marks.md", ("e" + "\u0301" * 5_000).encode(), says="e\u0301\u0301"),
    "control characters": Hostile(
        "control.md", b"red \x1b[31m bell \x07 back \x08 \x7f".replace(b"\x7f", b"\xc2\x9b"), says="red \x1b[31m"
    ),
    "line ends": Hostile("ends.md", b"one\r\ntwo\rthree\n", says="one\ntwo\rthree"),
    "a key with quotes": Hostile('it\'s "quoted"\\.md', b"Quoted.", says="Quoted."),
    "a key with slashes": Hostile("../../etc/passwd.md", b"Slashes.", says="Slashes."),
    "a key with lines": Hostile("two\nlines\r.md", b"Lines.", says="Lines."),
    "a key with sql": Hostile("'; DROP TABLE documents; --%s%(x)s{}.md", b"Bobby.", says="Bobby."),
    "a key with markup": Hostile("|`<img src=x onerror=alert(1)>`|[red].md", b"Markup.", says="Markup."),
    "a key of emoji": Hostile("👩\u200d👧/" + "é" * 300 + ".md", b"Emoji.", says="Emoji."),
    "html with scripts": Hostile("page.html", _PAGE, says="Tea <green> €3 ©", never=("secret", "onload")),
    "html without an end": Hostile("cut.html", b"<p>shown<script>secret", says="shown", never=("secret",)),
    "deep html": Hostile("deep.html", b"<div>" * 100_000 + b"deep", says="deep"),
    "an html bomb": Hostile(
        "bomb.html",
        b"<table><tr><td>" + b"w " * 5_000 + b"</td></tr>" + b"<tr><td>x</td></tr>" * 5_000 + b"</table>",
        says="x\nx\nx",
    ),
    "an entity bomb": Hostile(
        "entities.html",
        b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><p>&b; said',
        says="said",
        never=("aaaaaaaaaa",),
    ),
    "endless attributes": Hostile("attributes.html", b"<p " + b"a=1 " * 100_000 + b">text", ErrorType.UNDECODABLE),
    "headings of headings": Hostile(
        "headings.md", b"# " + b"h" * 100_000 + b"\n\nText under it.", says="Text under it."
    ),
    "unclosed everything": Hostile("open.md", b"```\n---\n# [(<{" * 2_000, says="# [(<{"),
}

METADATA: Mapping[str, tuple[Mapping[str, object], ErrorType | None]] = {
    "nested": ({"a": [{"b": [None, True, 1e300]}], "": {"'\"": "\x1b"}}, None),
    "not a number": ({"a": float("nan")}, ErrorType.INVALID_DATA),
    "infinite": ({"a": [float("inf")]}, ErrorType.INVALID_DATA),
    "an object": ({"a": object()}, ErrorType.INVALID_DATA),
    "a nul": ({"a": "\x00"}, ErrorType.UNDECODABLE),
    "half a pair": ({"a": "\ud800"}, ErrorType.UNDECODABLE),
    "a key of bytes": ({b"a": 1}, ErrorType.INVALID_DATA),  # type: ignore[dict-item]
    "endless": ({"a": 10**5_000}, ErrorType.INVALID_DATA),
    "a nul in the title": ({"title": "\x00"}, ErrorType.UNDECODABLE),
    "half a pair in the title": ({"title": "\udcff"}, ErrorType.UNDECODABLE),
}


@dataclass(frozen=True)
class HostileSource:
    """All of them, and a good document after each; read as a folder's files are."""

    good: Mapping[str, str] = field(default_factory=lambda: {f"good-{n}.md": f"Good document {n}." for n in range(20)})

    def list_documents(self) -> Iterator[ListedDocument]:
        """In one listing."""
        for key in (*(case.key for case in CASES.values()), *map(metadata_key, METADATA), *self.good):
            yield ListedDocument(key, "1", None)

    def fetch(self, document_key: str) -> Document:
        """As it is."""
        if document_key in self.good:
            return Document(document_key, self.good[document_key])
        for name, (metadata, _) in METADATA.items():
            if document_key == metadata_key(name):
                return Document(document_key, "Text.", title=str(metadata.get("title", "")), metadata=metadata)
        data = next(case.data for case in CASES.values() if case.key == document_key)
        text = extract_text(document_key, data, "utf-8")
        return Document(document_key, text.content, title=text.title)


def metadata_key(name: str) -> str:
    """The document whose metadata these are."""
    return f"metadata, {name}"
