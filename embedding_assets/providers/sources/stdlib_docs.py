"""The documentation of Python's standard library, as installed, as a source: one document per public module.

Real text on every machine, with nothing to download. Not here: finding modules (stdlib_modules.py) and reading them
(stdlib_parsing.py, stdlib_inspection.py).
"""

import platform
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from embedding_assets.domain.documents import Document, ListedDocument
from embedding_assets.domain.failures import DocumentMissing, ErrorType, SourceError
from embedding_assets.providers.sources.stdlib_inspection import inspect_module
from embedding_assets.providers.sources.stdlib_modules import (
    StdlibModule,
    find_module,
    is_public,
    public_modules,
    stdlib_root,
)
from embedding_assets.providers.sources.stdlib_parsing import parse_module
from embedding_assets.providers.sources.stdlib_text import ModuleDoc

# Part of every signature: raise it when the same module is rendered as another text, so that it is fetched again.
_RENDERING = 1
# A file that begins with a non-empty string literal has a docstring, which saves parsing 10 MB to make a listing.
_BEGINS_WITH_DOCSTRING = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\n)*[rRuU]?(?:\"\"\"|'''|\"|')(?:\\\n)?\s*[^\s\"'\\]")
_BEGINNING_BYTES = 8192


class StdlibDocsSource:
    """Every documented public module of the running Python; a key is the dotted module name.

    `modules` are shell-style globs over these names (`json*`). Modules written in Python are never imported. The same
    installation always gives the same bytes. Safe to use from several threads.
    """

    def __init__(self, modules: Sequence[str] = ("*",)) -> None:
        self._globs = tuple(modules)
        self._read = lru_cache(maxsize=256)(_read_module)
        self._is_documented = lru_cache(maxsize=4096)(self._find_docstring)

    def list_documents(self) -> Iterator[ListedDocument]:
        """The modules that have any docstring; `changed_at` is the file's mtime, None for what is in the interpreter.

        Raises:
            SourceError: `root_unavailable` when the library's folder cannot be read.
        """
        try:
            _require_root()
            for module in public_modules():
                if self._admits(module.name) and self._is_documented(module):
                    yield ListedDocument(module.name, _signature(module), module.changed_at)
        except OSError as error:
            raise _unavailable(error) from error

    def fetch(self, document_key: str) -> Document:
        """One module's documentation.

        Raises:
            DocumentMissing: no public module of that name is installed, or it has no docstring at all.
            SourceError: `root_unavailable`, `source_unreadable`, or `undecodable` when the file is not Python source.
        """
        try:
            module = find_module(document_key) if self._admits(document_key) else None
            doc = self._read(module) if module is not None else None
        except (ImportError, FileNotFoundError):
            module = doc = None
        except (SyntaxError, ValueError) as error:
            msg = f"the source of {document_key!r} does not parse; repair this Python installation"
            raise SourceError(ErrorType.UNDECODABLE, msg) from error
        except OSError as error:
            msg = f"cannot read the source of {document_key!r} ({error.strerror}); it is tried again later"
            raise SourceError(ErrorType.SOURCE_UNREADABLE, msg) from error
        if module is None or doc is None or not doc.documented:
            raise _missing(document_key)
        return _document(module, doc)

    def _admits(self, name: str) -> bool:
        return is_public(name) and any(fnmatchcase(name, glob) for glob in self._globs)

    def _find_docstring(self, module: StdlibModule) -> bool:
        try:
            return _begins_with_docstring(module) or self._read(module).documented
        except (ImportError, FileNotFoundError):
            return False
        except (SyntaxError, ValueError):
            # Listed, so that fetching it tells what is wrong.
            return True


def _read_module(module: StdlibModule) -> ModuleDoc:
    return parse_module(module) if module.kind == "python" else inspect_module(module.name)


def _begins_with_docstring(module: StdlibModule) -> bool:
    if module.kind != "python" or module.path is None:
        return False
    with open(module.path, "rb") as file:
        return _BEGINS_WITH_DOCSTRING.match(file.read(_BEGINNING_BYTES)) is not None


def _document(module: StdlibModule, doc: ModuleDoc) -> Document:
    return Document(
        document_key=module.name,
        content=doc.text(),
        title=doc.title,
        uri=f"python:{module.name}",
        metadata={"module": module.name, "package": module.name.partition(".")[0], "kind": module.kind},
        source_updated_at=module.changed_at,
        signature=_signature(module),
    )


def _signature(module: StdlibModule) -> str:
    return ":".join(filter(None, [f"{_RENDERING}", platform.python_version(), module.stamp]))


def _missing(document_key: str) -> DocumentMissing | SourceError:
    """A module that is not found is missing only while the library is there."""
    try:
        _require_root()
    except OSError as error:
        return _unavailable(error)
    return DocumentMissing(f"{document_key!r} is not a documented public module of Python {platform.python_version()}")


def _require_root() -> None:
    # os.py is there in every installation from files; an empty or foreign folder would read as a million deletions.
    if find_module("os") is None:
        raise FileNotFoundError(2, "no os.py in it")


def _unavailable(error: OSError) -> SourceError:
    msg = f"cannot read Python's library in {stdlib_root()!r} ({error.strerror}); it must be installed as files"
    return SourceError(ErrorType.ROOT_UNAVAILABLE, msg)
