"""Reading documentation from source code: what counts as public, which definition is shown, and how."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import TypeAlias

import pytest

from embedding_assets.providers.sources.stdlib_modules import StdlibModule
from embedding_assets.providers.sources.stdlib_parsing import parse_module
from embedding_assets.providers.sources.stdlib_text import ModuleDoc, clean_docstring

Reader: TypeAlias = Callable[[str], ModuleDoc]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """A reader of modules given as source text."""

    def parse(source: str) -> ModuleDoc:
        path = tmp_path / "demo.py"
        path.write_text(dedent(source))
        return parse_module(StdlibModule("demo", "python", str(path)))

    return parse


def headings(doc: ModuleDoc) -> list[str]:
    return [entry.heading for entry in doc.entries]


@pytest.mark.parametrize(
    ("declared", "shown"),
    [
        ("", ["demo.a()", "demo.b()"]),
        ("__all__ = ['a']", ["demo.a()"]),
        ("__all__ = ('a', '_c')", ["demo.a()", "demo._c()"]),
        ("__all__: list = ['a']\n__all__ += ['b']", ["demo.a()", "demo.b()"]),
        ("__all__ = ['a']\n__all__.append('b')", ["demo.a()", "demo.b()"]),
        ("__all__ = ['a']\n__all__.extend(['_c'])", ["demo.a()", "demo._c()"]),
        ("__all__ = ['_c'] + other.__all__", ["demo.a()", "demo.b()"]),
        ("__all__ = ['_c']\n__all__.extend(other.names())", ["demo.a()", "demo.b()", "demo._c()"]),
        ("__all__ = []", []),
    ],
)
def test_all_decides_what_is_public_as_far_as_it_is_literal(read: Reader, declared: str, shown: list[str]) -> None:
    functions = "\n".join(f"def {name}(): pass" for name in ("a", "b", "_c"))
    assert headings(read(f"{declared}\n{functions}\n")) == shown


def test_of_several_definitions_the_first_with_a_docstring_is_shown(read: Reader) -> None:
    doc = read('''
        if windows:
            def f(a): pass
        else:
            def f(b):
                """Elsewhere."""
        class C:
            @property
            def p(self):
                """Read it."""
            @p.setter
            def p(self, value):
                """Write it."""
    ''')
    assert headings(doc) == ["demo.f(b)", "class demo.C"]
    assert [(member.heading, member.docstring) for member in doc.entries[1].members] == [("property C.p", "Read it.")]


def test_fallback_for_a_failed_import_is_shown_only_where_the_import_fails(read: Reader) -> None:
    source = '''
        try:
            from {module} import f
        except ImportError:
            def f():
                """Fallback."""
    '''
    assert headings(read(source.format(module="_struct"))) == []
    assert headings(read(source.format(module="_no_such_module"))) == ["demo.f()"]


def test_signatures_leave_out_the_bound_argument_and_keep_the_rest(read: Reader) -> None:
    doc = read('''
        class C(Base, object):
            """Class."""
            def __init__(self, a, /, b: int = 1, *args, c=None, **kwargs) -> None:
                """Made so."""
            def pos(self=None, /): pass
            def none(*args): pass
            @staticmethod
            def static(x): pass
            @classmethod
            def cls(cls, x=2) -> "C": pass
            async def wait(self, *, timeout): pass
            def _private(self): pass
    ''')
    (entry,) = doc.entries
    assert entry.heading == "class demo.C(a, /, b: int=1, *args, c=None, **kwargs)"
    assert (entry.bases, entry.docstring) == ("Base", "Class.\n\nMade so.")
    assert [member.heading for member in entry.members] == [
        "C.pos()",
        "C.none(*args)",
        "staticmethod C.static(x)",
        "classmethod C.cls(x=2) -> 'C'",
        "async C.wait(*, timeout)",
    ]


def test_module_without_any_docstring_is_not_documented(read: Reader) -> None:
    assert not read("def f(): pass\nclass C:\n    x = 'not a docstring'\n").documented
    assert not read("def _private():\n    'only here'\n").documented
    assert read("class C:\n    def m(self):\n        'here'\n").documented


def test_text_is_title_docstring_and_indented_entries(read: Reader) -> None:
    doc = read('''
        """Summary line.

        More.
        """
        class C(Base):
            """Class.

            More of it.
            """
            def m(self):
                """Method."""
        def f():
            pass
    ''')
    assert doc.text() == dedent("""\
        demo — Summary line

        Summary line.

        More.

        class demo.C
            Bases: Base
            Class.

            More of it.

            C.m()
                Method.

        demo.f()
        """)


def test_what_the_store_cannot_hold_is_written_out_in_docstrings() -> None:
    assert clean_docstring("a\x00b\ud800c") == "a\\x00b\\ud800c"
    assert clean_docstring(None) == clean_docstring("  \n ") == ""


def test_source_that_is_not_python_is_a_syntax_error(read: Reader) -> None:
    with pytest.raises(SyntaxError):
        read("def (")
