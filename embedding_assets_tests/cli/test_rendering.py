"""Untrusted text in the terminal."""

import pytest

from embedding_assets.cli.rendering import counted, one_line, visible, visible_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ümläut 漢字", "plain ümläut 漢字"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb", "a\\nb"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x9b31m", "\\x9b31m"),
        ("half \ud800", "half \\ud800"),
    ],
)
def test_characters_that_act_on_a_terminal_are_shown_as_escapes(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_line_ends_are_kept_where_lines_are_wanted_and_no_line_passes_for_ours() -> None:
    assert visible_lines("one\x1b\nerror: two", indent=3) == "one\\x1b\n   error: two"


def test_text_is_put_on_one_line_of_bounded_width() -> None:
    assert one_line("  many\n\n  short\twords  ", 80) == "many short words"
    assert one_line("x" * 100, 10) == "x" * 9 + "…"


def test_counts_have_their_plural() -> None:
    assert (counted(1, "document"), counted(2500, "document")) == ("1 document", "2,500 documents")
