"""Documentation of modules written in Python, taken from their source with `ast`; they are never imported.

What a module offers under its own name is followed one file further, when it comes from a private module (`from
._parser import loads`) or a compiled one (`from _struct import *`); public modules have a document of their own.
Not here: signatures and docstrings of single definitions (stdlib_definitions.py).
"""

import ast
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

from embedding_assets.providers.sources import stdlib_definitions, stdlib_inspection
from embedding_assets.providers.sources.stdlib_definitions import Definition
from embedding_assets.providers.sources.stdlib_modules import StdlibModule, find_module
from embedding_assets.providers.sources.stdlib_text import Entry, ModuleDoc, clean_docstring

_MOST_STEPS = 3
_PARSING = threading.Lock()


@dataclass(slots=True)
class _Scope:
    """The top level of one module. `exported` is its `__all__` as far as it is literal, None where it has none."""

    module: StdlibModule
    docstring: str
    definitions: dict[str, Definition] = field(default_factory=dict[str, Definition])
    imported: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    starred: list[str] = field(default_factory=list[str])
    exported: list[str] | None = None
    exports_more: bool = False

    def offers(self, name: str) -> bool:
        """Whether a definition of this name is public."""
        if self.exported is not None and name in self.exported:
            return True
        return (self.exported is None or self.exports_more) and not name.startswith("_")


def parse_module(module: StdlibModule) -> ModuleDoc:
    """The documentation of a module with a source file.

    Raises:
        OSError: its file cannot be read.
        SyntaxError, ValueError: its file is not Python source.
    """
    scope = _read_scope(module)
    names = [name for name in scope.definitions if scope.offers(name)]
    names += [name for name in scope.exported or () if name not in scope.definitions]
    entries = {name: _entry(scope, name, f"{module.name}.{name}", _MOST_STEPS) for name in dict.fromkeys(names)}
    if scope.exported is None or scope.exports_more:
        for name, entry in _star_entries(scope):
            entries.setdefault(name, entry)
    shown = tuple(entry for entry in entries.values() if entry is not None)
    return ModuleDoc(module.name, scope.docstring or _imported_docstring(scope), shown)


def _read_scope(module: StdlibModule) -> _Scope:
    assert module.path is not None
    with open(module.path, "rb") as file:
        tree = _parse(file.read())
    scope = _Scope(module, clean_docstring(ast.get_docstring(tree, clean=False)))
    for statement in _statements(tree.body, module):
        _take(scope, statement)
    return scope


def _parse(source: bytes) -> ast.Module:
    """The tree of a source file, one thread at a time.

    CPython up to 3.12 keeps the depth counter of the tree it builds for the whole interpreter: when another thread builds one
    meanwhile (pydantic does, while a library is imported), the loser gets a SystemError. Trying again is enough.
    """
    with _PARSING:
        try:
            return ast.parse(source)
        except SystemError:
            return ast.parse(source)


# Private modules are read for each public one that takes names from them; a handful is in use at a time.
_read_private_scope = lru_cache(maxsize=16)(_read_scope)


def _statements(body: Sequence[ast.stmt], module: StdlibModule) -> Iterator[ast.stmt]:
    """The statements of a body and of the `if` and `try` within it; handlers only where the body cannot be imported."""
    for statement in body:
        if isinstance(statement, ast.If):
            yield from _statements([*statement.body, *statement.orelse], module)
        elif isinstance(statement, ast.Try):
            yield from _statements([*statement.body, *statement.orelse], module)
            if not all(_is_installed(module, child) for child in statement.body):
                yield from _statements([child for handler in statement.handlers for child in handler.body], module)
        else:
            yield statement


def _is_installed(module: StdlibModule, statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Import):
        return all(find_module(alias.name) is not None for alias in statement.names)
    return not isinstance(statement, ast.ImportFrom) or find_module(_absolute(module, statement)) is not None


def _absolute(module: StdlibModule, statement: ast.ImportFrom) -> str:
    """The module an import takes from, relative ones resolved."""
    if not statement.level:
        return statement.module or ""
    package = module.package.split(".")
    return ".".join([*package[: len(package) - statement.level + 1], *([statement.module] if statement.module else [])])


def _take(scope: _Scope, statement: ast.stmt) -> None:
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        known = scope.definitions.get(statement.name)
        # Of several definitions (per platform, overloads, fallbacks) the first with a docstring is shown.
        if known is None or (not ast.get_docstring(known) and ast.get_docstring(statement)):
            scope.definitions[statement.name] = statement
    elif isinstance(statement, ast.ImportFrom):
        source = _absolute(scope.module, statement)
        for alias in statement.names:
            if alias.name == "*":
                scope.starred.append(source)
            else:
                scope.imported.setdefault(alias.asname or alias.name, (source, alias.name))
    else:
        _take_exports(scope, statement)


def _take_exports(scope: _Scope, statement: ast.stmt) -> None:
    """`__all__ = …`, `__all__ += …`, `__all__.extend(…)`, `__all__.append(…)`, as far as they are literal."""
    match statement:
        case ast.Assign(targets=[ast.Subscript(slice=ast.Name(id="__name__"))], value=ast.Name(id=source)):
            # `sys.modules[__name__] = _collections_abc`: another module stands in for this one.
            scope.starred.append(source)
            return
        case (
            ast.Assign(targets=[ast.Name(id="__all__")], value=value)
            | ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value)
        ):
            scope.exported, scope.exports_more = [], False
        case ast.AugAssign(target=ast.Name(id="__all__"), value=value):
            pass
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(id="__all__"), "extend"), args=[value])):
            pass
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(id="__all__"), "append"), args=[single])):
            value = ast.List(elts=[single])
        case _:
            return
    names = _literal_names(value)
    scope.exported = [*(scope.exported or ()), *(names or ())]
    scope.exports_more |= names is None


def _literal_names(value: ast.expr) -> list[str] | None:
    try:
        names: object = ast.literal_eval(value)
    except ValueError:
        return None
    if isinstance(names, list | tuple):
        return [name for name in cast("Sequence[object]", names) if isinstance(name, str)]
    return None


def _entry(scope: _Scope, name: str, shown_as: str, steps: int) -> Entry | None:
    """The entry of a name of this scope, wherever it is defined; None when that is public, too far, or data."""
    if name in scope.definitions:
        return stdlib_definitions.entry(scope.definitions[name], shown_as)
    if name in scope.imported:
        source, original = scope.imported[name]
        return _entry_from(source, original, shown_as, steps)
    found = (_entry_from(source, name, shown_as, steps) for source in scope.starred)
    return next((entry for entry in found if entry is not None), None)


def _entry_from(source: str, name: str, shown_as: str, steps: int) -> Entry | None:
    target = find_module(source)
    if target is None or steps == 0:
        return None
    if target.kind == "builtin":
        try:
            module = stdlib_inspection.import_compiled(source)
        except ImportError:
            return None
        return stdlib_inspection.inspect_member(module, name, shown_as)
    if not _is_private(source):
        return None
    return _entry(_read_private_scope(target), name, shown_as, steps - 1)


def _star_entries(scope: _Scope) -> Iterator[tuple[str, Entry | None]]:
    for source in scope.starred:
        for name in _star_names(source):
            yield name, _entry_from(source, name, f"{scope.module.name}.{name}", _MOST_STEPS)


def _star_names(source: str) -> list[str]:
    target = find_module(source)
    if target is None:
        return []
    if target.kind == "builtin":
        try:
            return stdlib_inspection.public_names(stdlib_inspection.import_compiled(source))
        except ImportError:
            return []
    if not _is_private(source):
        return []
    scope = _read_private_scope(target)
    return scope.exported or [name for name in scope.definitions if scope.offers(name)]


def _imported_docstring(scope: _Scope) -> str:
    """`from _struct import __doc__` is how modules with a compiled core take their docstring."""
    source, _ = scope.imported.get("__doc__", ("", ""))
    target = find_module(source)
    if target is None:
        return ""
    if target.kind == "builtin":
        try:
            return clean_docstring(stdlib_inspection.import_compiled(source).__doc__)
        except ImportError:
            return ""
    return _read_private_scope(target).docstring


def _is_private(name: str) -> bool:
    return any(part.startswith("_") for part in name.split("."))
