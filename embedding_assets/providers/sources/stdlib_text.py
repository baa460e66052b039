"""What a module's documentation consists of, and how it reads as plain text.

Pure. Not here: taking it from source code (stdlib_parsing.py) or from compiled modules (stdlib_inspection.py).
"""

import inspect
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_SUMMARY_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """A class, function, method or property: its signature line, its docstring, a class's members."""

    heading: str
    docstring: str = ""
    bases: str = ""
    members: tuple["Entry", ...] = ()

    @property
    def documented(self) -> bool:
        """Whether it or one of its members has a docstring."""
        return bool(self.docstring) or any(member.documented for member in self.members)


@dataclass(frozen=True, slots=True)
class ModuleDoc:
    """A module's docstring and its public entries, in the order in which they are shown."""

    name: str
    docstring: str
    entries: tuple[Entry, ...]

    @property
    def documented(self) -> bool:
        """Whether there is any docstring to show."""
        return bool(self.docstring) or any(entry.documented for entry in self.entries)

    @property
    def title(self) -> str:
        """`json.decoder — Implementation of JSONDecoder`; the name alone for a module without a docstring."""
        summary = self.docstring.partition("\n")[0].strip()[:_SUMMARY_CHARACTERS].rstrip(" .")
        return f"{self.name} — {summary}" if summary else self.name

    def text(self) -> str:
        """The whole as plain text, entries apart by blank lines, members indented by four."""
        blocks = [self.title]
        if self.docstring:
            blocks.append(self.docstring)
        blocks.extend(_blocks(self.entries))
        return "\n\n".join(blocks) + "\n"


def clean_docstring(docstring: str | None) -> str:
    """A docstring without its indentation, and without what UTF-8 or PostgreSQL cannot hold (surrogates, NUL)."""
    if not docstring:
        return ""
    text = inspect.cleandoc(docstring).replace("\x00", "\\x00").strip()
    return text.encode("utf-8", "backslashreplace").decode()


def _blocks(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        lines = [entry.heading]
        if entry.bases:
            lines.append(f"    Bases: {entry.bases}")
        if entry.docstring:
            lines.append(textwrap.indent(entry.docstring, "    "))
        yield "\n".join(lines)
        yield from (textwrap.indent(block, "    ") for block in _blocks(entry.members))
