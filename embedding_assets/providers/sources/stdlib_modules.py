"""Where Python's own modules are installed: files on disk and modules built into the interpreter.

Nothing is imported here. Not here: what a module says (stdlib_parsing.py, stdlib_inspection.py).
"""

import importlib.machinery
import os
import stat
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Importing readline sets up the terminal and may print escape codes; the others are tests, demos, jokes and tools.
_LEFT_OUT = frozenset({"antigravity", "idlelib", "lib2to3", "readline", "test", "tests", "this", "turtledemo"})
# Of the 120 modules of `encodings` the rest are codec tables with the same few sentences; these two are in the manual.
_DOCUMENTED_ENCODINGS = frozenset({"encodings", "encodings.idna", "encodings.utf_8_sig"})


@dataclass(frozen=True, slots=True)
class StdlibModule:
    """One installed module. `path` is its source or extension file, None when it is part of the interpreter."""

    name: str
    kind: Literal["python", "builtin"]
    path: str | None = None
    mtime_ns: int = 0
    size: int = 0

    @property
    def changed_at(self) -> datetime | None:
        """The file's mtime in UTC; None for a module without one."""
        return None if self.path is None else _EPOCH + timedelta(microseconds=self.mtime_ns // 1000)

    @property
    def stamp(self) -> str:
        """`mtime_ns:size` of the file, empty for a module without one."""
        return "" if self.path is None else f"{self.mtime_ns}:{self.size}"

    @property
    def package(self) -> str:
        """What relative imports in this module start from."""
        is_package = self.path is not None and os.path.basename(self.path) == "__init__.py"
        return self.name if is_package else self.name.rpartition(".")[0]


def stdlib_root() -> str:
    """The folder of the standard library of the running Python, also from within a virtual environment."""
    return sysconfig.get_path("stdlib")


def is_public(name: str) -> bool:
    """Whether a dotted name is one people import: no private part, no test, demo or tool."""
    parts = name.split(".")
    if parts[0] not in sys.stdlib_module_names:
        return False
    if parts[0] == "encodings" and name not in _DOCUMENTED_ENCODINGS:
        return False
    return all(part.isidentifier() and not part.startswith("_") and part not in _LEFT_OUT for part in parts)


def public_modules() -> Iterator[StdlibModule]:
    """Every public module of this installation, sorted by name within each package.

    Raises:
        OSError: a folder of the library cannot be read.
    """
    for name in sorted(filter(is_public, sys.stdlib_module_names)):
        yield from _with_submodules(name)


def _with_submodules(name: str) -> Iterator[StdlibModule]:
    module = find_module(name)
    if module is None:
        return
    yield module
    if module.path is not None and module.package == name:
        for submodule in _submodule_names(name, os.path.dirname(module.path)):
            yield from _with_submodules(submodule)


def _submodule_names(package: str, folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        stems = {entry.name.removesuffix(".py") for entry in entries if entry.name.endswith(".py") or entry.is_dir()}
    return sorted(name for name in (f"{package}.{stem}" for stem in stems) if is_public(name))


def find_module(name: str) -> StdlibModule | None:
    """The installed module of this name, public or private; None when this platform has none.

    Raises:
        OSError: the library cannot be read.
    """
    parts = name.split(".")
    if parts[0] not in sys.stdlib_module_names or not all(map(str.isidentifier, parts)):
        return None
    folder = os.path.join(stdlib_root(), *parts[:-1])
    if any(_regular_file(os.path.join(stdlib_root(), *parts[:n], "__init__.py")) is None for n in range(1, len(parts))):
        return None
    for path in (os.path.join(folder, parts[-1], "__init__.py"), os.path.join(folder, parts[-1] + ".py")):
        found = _regular_file(path)
        if found is not None:
            return StdlibModule(name, "python", path, found.st_mtime_ns, found.st_size)
    return _compiled_module(name) if len(parts) == 1 else None


def _compiled_module(name: str) -> StdlibModule | None:
    if name in sys.builtin_module_names:
        return StdlibModule(name, "builtin")
    for folder in (os.path.join(stdlib_root(), "lib-dynload"), os.path.join(sys.base_prefix, "DLLs")):
        for suffix in importlib.machinery.EXTENSION_SUFFIXES:
            path = os.path.join(folder, name + suffix)
            found = _regular_file(path)
            if found is not None:
                return StdlibModule(name, "builtin", path, found.st_mtime_ns, found.st_size)
    return None


def _regular_file(path: str) -> os.stat_result | None:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None
