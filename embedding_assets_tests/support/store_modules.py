"""Store modules read as text: which queries a function runs, and which parameters it gives them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StoreModule:
    """One module of the store; `functions` are its top-level functions by name, `strings` all its string constants."""

    functions: dict[str, ast.AST]
    strings: set[str]
    queries_named: set[str]

    @classmethod
    def read(cls, path: Path) -> "StoreModule":
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions: dict[str, ast.AST] = {
            node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        return cls(functions, set(_strings(tree)), set(_queries(tree)))

    def queries_of(self, function: str) -> set[str]:
        """Queries it runs, itself or through functions of the same module."""
        return {query for node in self._reached(function) for query in _queries(node)}

    def keys_of(self, function: str) -> set[str]:
        """Keys of every dictionary it builds, itself or through functions of the same module."""
        dictionaries = (d for node in self._reached(function) for d in ast.walk(node) if isinstance(d, ast.Dict))
        return {str(key.value) for d in dictionaries for key in d.keys if isinstance(key, ast.Constant)}

    def _reached(self, function: str) -> list[ast.AST]:
        reached: dict[str, ast.AST] = {}
        waiting = [function]
        while waiting:
            name = waiting.pop()
            if name in self.functions and name not in reached:
                reached[name] = self.functions[name]
                waiting += [node.id for node in ast.walk(self.functions[name]) if isinstance(node, ast.Name)]
        return list(reached.values())


def _queries(tree: ast.AST) -> Iterator[str]:
    """The names in `_SQL["name"]`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "_SQL":
            yield from _strings(node.slice)


def _strings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
