"""How things look in the terminal: consoles, tables, JSON, and untrusted text made harmless.

Titles, keys and document text come from anywhere: markup in them is never interpreted (the consoles have it off) and
control characters are shown as their escapes. Not here: what is said (the commands' own modules, domain/explanation).
"""

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_FILE_WIDTH = 160
# Control, format (bidirectional overrides among them), surrogate, private and unassigned characters; line separators.
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def out() -> "Console":
    """Results, on stdout."""
    return _console(stderr=False)


def err() -> "Console":
    """Progress and notes, on stderr, so that stdout can be piped."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console  # noqa: PLC0415 - 0.1 s that --help need not pay

    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)
    if not console.is_terminal:
        # Nothing is gained by folding a table into 80 columns of a file.
        console.width = _FILE_WIDTH
    return console


def note(text: str) -> None:
    """One line on stderr."""
    err().print(text, style="dim")


def warn(text: str) -> None:
    """One line on stderr that somebody should read."""
    err().print(text, style="yellow")


def print_json(value: object) -> None:
    """JSON on stdout, alone. ASCII only: a terminal reads the C1 control characters too."""
    sys.stdout.write(json.dumps(value, indent=2, default=_plain) + "\n")


def visible(text: str) -> str:
    """The text with every character that could act on a terminal or hide shown as its escape."""
    return "".join(_escape(char) if unicodedata.category(char) in _HARMFUL else char for char in text)


def visible_lines(text: str, *, indent: int) -> str:
    """The same with its line ends kept; later lines are indented, so that none of them passes for a line of ours."""
    return ("\n" + " " * indent).join(visible(line) for line in text.split("\n"))


def print_block(text: str, *, indent: int) -> None:
    """Untrusted text on stdout, every line of it indented, also those that a terminal of this width folds."""
    from rich.padding import Padding  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    console = out()
    if console.is_terminal:
        shown = Text("\n".join(visible(line) for line in text.split("\n")))
        console.print(Padding(shown, (0, 0, 0, indent)), soft_wrap=False)
    else:
        console.print(" " * indent + visible_lines(text, indent=indent))


def one_line(text: str, width: int) -> str:
    """Untrusted text on one line of at most `width` characters."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= width else line[: max(width - 1, 0)] + "…"


def table(columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> "Table":
    """A plain table; `columns` maps a heading to its alignment, `left` or `right`."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading, side in columns.items():
        made.add_column(heading, justify="right" if side == "right" else "left", overflow="fold")
    for row in rows:
        made.add_row(*("" if cell is None else str(cell) for cell in row))
    return made


def counted(number: int, thing: str) -> str:
    """`1 document`, `2,500 documents`."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")
