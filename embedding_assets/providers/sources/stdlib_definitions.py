"""Entries of classes and functions as they stand in source code: signature, docstring, public methods.

Pure functions over `ast` nodes. Not here: which definitions a module shows (stdlib_parsing.py).
"""

import ast
import copy
from collections.abc import Iterator
from typing import TypeAlias

from embedding_assets.providers.sources.stdlib_text import Entry, clean_docstring

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Definition: TypeAlias = ast.ClassDef | _Function
_PROPERTIES = frozenset({"property", "cached_property", "abstractproperty"})


def entry(node: Definition, shown_as: str) -> Entry:
    """The entry of a top-level class or function, under the name it is offered by."""
    if isinstance(node, ast.ClassDef):
        return _class_entry(node, shown_as)
    return Entry(_prefix(node) + shown_as + _signature(node, bound=False), _docstring(node))


def _class_entry(node: ast.ClassDef, shown_as: str) -> Entry:
    methods = _methods(node)
    init = methods.get("__init__") or methods.get("__new__")
    signature = _signature(init, bound=True, returns=False) if init else ""
    docstrings = [_docstring(node), _docstring(init) if init else ""]
    bases = ", ".join(text for text in map(ast.unparse, node.bases) if text != "object")
    public = (method for name, method in methods.items() if not name.startswith("_"))
    members = tuple(_method_entry(method, node.name) for method in public)
    return Entry(f"class {shown_as}{signature}", "\n\n".join(filter(None, docstrings)), bases, members)


def _methods(node: ast.ClassDef) -> dict[str, _Function]:
    """The methods by name; of several of one name (a property's setter, overloads) the first with a docstring."""
    methods: dict[str, _Function] = {}
    for method in _functions(node.body):
        known = methods.get(method.name)
        if known is None or (not ast.get_docstring(known) and ast.get_docstring(method)):
            methods[method.name] = method
    return methods


def _functions(body: list[ast.stmt]) -> Iterator[_Function]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield statement
        elif isinstance(statement, ast.If):
            yield from _functions([*statement.body, *statement.orelse])


def _method_entry(method: _Function, class_name: str) -> Entry:
    decorators = {_decorator_name(decorator) for decorator in method.decorator_list}
    shown_as, docstring = f"{class_name}.{method.name}", _docstring(method)
    if decorators & _PROPERTIES:
        return Entry(f"property {shown_as}", docstring)
    if "staticmethod" in decorators:
        return Entry(f"staticmethod {shown_as}{_signature(method, bound=False)}", docstring)
    kind = "classmethod " if "classmethod" in decorators else _prefix(method)
    return Entry(kind + shown_as + _signature(method, bound=True), docstring)


def _decorator_name(decorator: ast.expr) -> str:
    """`cached_property` of `@functools.cached_property`, `property` of `@property`."""
    if isinstance(decorator, ast.Attribute):
        return decorator.attr
    return decorator.id if isinstance(decorator, ast.Name) else ""


def _prefix(node: _Function) -> str:
    return "async " if isinstance(node, ast.AsyncFunctionDef) else ""


def _signature(node: _Function, *, bound: bool, returns: bool = True) -> str:
    """`(s, *, strict=True) -> str`; a bound one leaves out the first argument (self, cls)."""
    arguments = _without_first(node.args) if bound else node.args
    result = f" -> {ast.unparse(node.returns)}" if returns and node.returns is not None else ""
    return f"({ast.unparse(arguments)}){result}"


def _without_first(arguments: ast.arguments) -> ast.arguments:
    rest = copy.copy(arguments)
    if rest.posonlyargs:
        rest.posonlyargs = rest.posonlyargs[1:]
    else:
        rest.args = rest.args[1:]
    surplus = len(rest.defaults) - len(rest.posonlyargs) - len(rest.args)
    rest.defaults = rest.defaults[max(surplus, 0) :]
    return rest


def _docstring(node: Definition) -> str:
    return clean_docstring(ast.get_docstring(node, clean=False))
