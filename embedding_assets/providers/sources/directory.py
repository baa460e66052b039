"""A folder of text files as a source of documents, read through the operating system's file calls.

Not here: which paths count (path_rules.py), and how bytes become text (text_extraction.py).
"""

import errno
import logging
import os
import stat
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from embedding_assets.domain.documents import Document, ListedDocument
from embedding_assets.domain.failures import DocumentMissing, ErrorType, SourceError
from embedding_assets.providers.sources.path_rules import PathRules, is_plain_key, is_utf8
from embedding_assets.providers.sources.text_extraction import extension_of, extract_text, text_encoding

_logger = logging.getLogger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# What the system answers a fetch when there is no such regular file, rather than that it cannot be read just now.
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO})


class _Root(NamedTuple):
    """The root with its links resolved, and which folder that was: device and inode."""

    path: str
    identity: tuple[int, int]


class DirectorySource:
    """The documents of a folder; a key is a file's POSIX path relative to `root`.

    Links to files are followed while they end within the root; links to folders are not followed. `root` itself may
    be a link, and is resolved anew at every call, so that a deployment may switch it. Fetching shows exactly the keys
    that a listing shows. Globs are those of `PathRules`; hidden files and folders are excluded unless `exclude` is
    given. Immutable, so safe to use from several threads.

    Raises:
        ValueError: a glob, `max_bytes` or `encoding` that cannot be used.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        include: Sequence[str] = ("**/*",),
        exclude: Sequence[str] = ("**/.*",),
        max_bytes: int = 20_000_000,
        encoding: str = "utf-8",
    ) -> None:
        if max_bytes < 1:
            msg = f"max_bytes = {max_bytes!r} must be at least 1"
            raise ValueError(msg)
        self._root = os.path.abspath(root)
        self._rules = PathRules(tuple(include), tuple(exclude))
        self._max_bytes = max_bytes
        self._encoding = text_encoding(encoding)

    def list_documents(self) -> Iterator[ListedDocument]:
        """Every document below the root, folder by folder; the signature is `mtime_ns:size`.

        Raises:
            SourceError: `root_unavailable`, naming the folder, when the root or any folder below it cannot be read.
        """
        root = self._readable_root()
        folders = [""]
        while folders:
            folder = folders.pop()
            for entry, is_folder in self._entries(root, folder):
                key = f"{folder}/{entry.name}" if folder else entry.name
                if is_folder:
                    folders.extend(() if self._rules.excludes(key) else (key,))
                elif self._rules.selects(key):
                    found = self._file_stat(root, key, entry)
                    if found is not None:
                        yield ListedDocument(key, _signature(found), _changed_at(found))

    def fetch(self, document_key: str) -> Document:
        """One file, decoded and extracted by its extension.

        Raises:
            DocumentMissing: no listing would show this key (also when its path leaves the root).
            SourceError: `root_unavailable`, `source_unreadable`, `undecodable` or `too_large`.
        """
        try:
            raw, found = self._read(document_key)
        except OSError as error:
            raise self._failed_read(document_key, error) from error
        extracted = extract_text(document_key, raw, self._encoding)
        return Document(
            document_key=document_key,
            content=extracted.content,
            title=extracted.title or PurePosixPath(document_key).stem,
            # The configured path, not the resolved one: a switched link must not make every document look changed.
            uri=Path(self._root, document_key).as_uri(),
            metadata={"path": document_key, "extension": extension_of(document_key)},
            source_updated_at=_changed_at(found),
            signature=_signature(found),
        )

    def _readable_root(self) -> _Root:
        """The root with links resolved, after opening it once."""
        path = os.path.realpath(self._root)
        try:
            os.scandir(path).close()
            found = os.stat(path)
        except OSError as error:
            raise self._unavailable(error) from error
        return _Root(path, (found.st_dev, found.st_ino))

    def _unavailable(self, error: OSError, key: str = "") -> SourceError:
        where = os.path.join(self._root, key) if key else self._root
        msg = f"cannot read {where!r} ({error.strerror}); mount it, make it readable, correct `path`, or exclude it"
        return SourceError(ErrorType.ROOT_UNAVAILABLE, msg)

    def _entries(self, root: _Root, folder: str) -> list[tuple[os.DirEntry[str], bool]]:
        """What is in a folder, each with whether it is a folder itself (a link to one is not)."""
        try:
            with os.scandir(os.path.join(root.path, folder)) as scan:
                entries = [(entry, entry.is_dir(follow_symlinks=False)) for entry in scan]
        except OSError as error:
            self._require_vanished(root, folder, error)
            return []
        usable = sorted((pair for pair in entries if is_utf8(pair[0].name)), key=lambda pair: pair[0].name)
        if len(usable) < len(entries):
            _logger.warning("left out %d names that are not UTF-8 in folder %r", len(entries) - len(usable), folder)
        return usable

    def _file_stat(self, root: _Root, key: str, entry: os.DirEntry[str]) -> os.stat_result | None:
        """The stat of the regular file a document is read from; None when there is none within the root."""
        try:
            if entry.is_symlink():
                target = os.path.realpath(entry.path)
                found = os.stat(target) if _is_within(root.path, target) else None
            else:
                found = entry.stat(follow_symlinks=False)
        except OSError as error:
            if not (error.errno == errno.ELOOP and entry.is_symlink()):
                self._require_vanished(root, key, error)
            return None
        return found if found is not None and stat.S_ISREG(found.st_mode) else None

    def _require_vanished(self, root: _Root, key: str, error: OSError) -> None:
        """Raise unless something below a root that is still there was deleted while it was listed."""
        if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
            raise self._unavailable(error, key) from error
        if self._readable_root().identity != root.identity:
            msg = f"{self._root!r} was replaced while it was listed; list it again"
            raise SourceError(ErrorType.ROOT_UNAVAILABLE, msg) from error

    def _read(self, key: str) -> tuple[bytes, os.stat_result]:
        if not (is_plain_key(key) and self._rules.admits(key)):
            raise FileNotFoundError(errno.ENOENT, "not a document of this source")
        with open(self._target(key), "rb", opener=_open_plainly) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise FileNotFoundError(errno.ENOENT, "not a regular file")
            # One byte more than allowed: the file may grow between the two calls.
            raw = b"" if found.st_size > self._max_bytes else file.read(self._max_bytes + 1)
        if max(found.st_size, len(raw)) > self._max_bytes:
            msg = f"{key!r} has {found.st_size} bytes, more than max_bytes = {self._max_bytes}; raise it or exclude it"
            raise SourceError(ErrorType.TOO_LARGE, msg)
        return raw, found

    def _target(self, key: str) -> str:
        """The file behind a key, links resolved; a path through a linked folder or out of the root is not found."""
        root = os.path.realpath(self._root)
        path = os.path.join(root, key)
        folder, target = os.path.dirname(path), os.path.realpath(path)
        if os.path.realpath(folder) != folder or not _is_within(root, target):
            raise FileNotFoundError(errno.ENOENT, "not within the root")
        return target

    def _failed_read(self, key: str, error: OSError) -> DocumentMissing | SourceError:
        """What a failed read says about the document, once the root is known to be there."""
        self._readable_root()
        if error.errno in _ABSENT:
            return DocumentMissing(f"{key!r} is not a document of {self._root!r}")
        msg = f"cannot read {key!r} ({error.strerror}); it is tried again later, check its permissions and its disk"
        return SourceError(ErrorType.SOURCE_UNREADABLE, msg)


def _is_within(root: str, path: str) -> bool:
    return path.startswith(root.rstrip(os.sep) + os.sep)


def _open_plainly(path: str, flags: int) -> int:
    """Open without following a last link (it was resolved already) and without waiting on a FIFO."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _signature(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns}:{found.st_size}"


def _changed_at(found: os.stat_result) -> datetime | None:
    """The file's mtime in UTC to the microsecond; None for one outside the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(microseconds=found.st_mtime_ns // 1000)
    except OverflowError:
        return None
