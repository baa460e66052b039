"""Documentation of compiled modules, which have no source: they are imported and their docstrings read.

Only what the C code itself says is shown, never the repr of an object, so that the same Python always gives the same
text. Modules written in Python are parsed and never imported (stdlib_parsing.py).
"""

import importlib
import inspect
import types
from collections.abc import Iterator

from embedding_assets.providers.sources.stdlib_text import Entry, ModuleDoc, clean_docstring


def inspect_module(name: str) -> ModuleDoc:
    """The documentation of a compiled module.

    Raises:
        ImportError: the module is installed but cannot be loaded, for example for want of a shared library.
    """
    module = import_compiled(name)
    entries = (inspect_member(module, member, f"{name}.{member}") for member in public_names(module))
    return ModuleDoc(name, clean_docstring(module.__doc__), tuple(entry for entry in entries if entry is not None))


def import_compiled(name: str) -> types.ModuleType:
    """The compiled module itself.

    Raises:
        ImportError: see `inspect_module`; also where its deprecation is configured to be an error.
    """
    try:
        return importlib.import_module(name)
    except DeprecationWarning as error:
        msg = f"{name} is deprecated and warnings are errors here"
        raise ImportError(msg) from error


def public_names(module: types.ModuleType) -> list[str]:
    """The names a star import would bring, sorted."""
    declared = getattr(module, "__all__", None)
    names = vars(module) if declared is None else declared
    return sorted(name for name in names if not name.startswith("_"))


def inspect_member(module: types.ModuleType, name: str, shown_as: str) -> Entry | None:
    """The entry of a class or function of a compiled module; None for data, for aliases and for what is not its own."""
    # Programs replace sys.excepthook and its like; the interpreter keeps the original under its dunder name.
    original: object = getattr(module, f"__{name}__", None)
    member: object = original if inspect.isbuiltin(original) else getattr(module, name, None)
    if isinstance(member, type):
        # C accelerators name the module they serve (`_collections.deque` says "collections"), hence the strip.
        own = member.__module__.lstrip("_") in {module.__name__.lstrip("_"), shown_as.rpartition(".")[0]}
        return _class_entry(member, shown_as) if own and member.__name__ == name else None
    if inspect.isbuiltin(member):
        return Entry(shown_as + _signature(member), clean_docstring(member.__doc__))
    return None


def _class_entry(cls: type, shown_as: str) -> Entry:
    bases = ", ".join(base.__name__ for base in cls.__bases__ if base is not object)
    docstring = clean_docstring(cls.__doc__)
    return Entry(f"class {shown_as}{_signature(cls)}", docstring, bases, tuple(_members(cls)))


def _members(cls: type) -> Iterator[Entry]:
    for name, member in sorted(vars(cls).items()):
        if name.startswith("_"):
            continue
        shown_as, docstring = f"{cls.__name__}.{name}", clean_docstring(getattr(member, "__doc__", None))
        if isinstance(member, types.ClassMethodDescriptorType):
            yield Entry(f"classmethod {shown_as}{_signature(member)}", docstring)
        elif isinstance(member, staticmethod):
            yield Entry(f"staticmethod {shown_as}{_signature(getattr(cls, name))}", docstring)
        elif isinstance(member, types.MethodDescriptorType | types.BuiltinMethodType):
            yield Entry(shown_as + _signature(member), docstring)
        elif isinstance(member, types.GetSetDescriptorType | types.MemberDescriptorType):
            yield Entry(f"property {shown_as}", docstring)


def _signature(member: object) -> str:
    """`(iterable, /, key=None)`, or nothing where C gives no signature (the docstring then usually begins with one)."""
    text = getattr(member, "__text_signature__", None)
    if not isinstance(text, str):
        return ""
    arguments = " ".join(text.split())[1:-1].split(", ")
    if arguments[0].startswith("$"):
        arguments = arguments[2:] if arguments[1:2] == ["/"] else arguments[1:]
    return f"({', '.join(arguments)})"
