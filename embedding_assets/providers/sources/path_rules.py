"""Which paths of a folder are documents: include and exclude globs over POSIX keys.

Pure: nothing here touches the file system (directory.py does).
"""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from embedding_assets.providers.sources.text_extraction import DOCUMENT_EXTENSIONS, extension_of

_WILDCARDS = frozenset("*?[")
_PIECE = re.compile(r"\*+|\?|\[!?\]?[^\]]*\]|[^*?\[]+|\[")


def is_plain_key(key: str) -> bool:
    """Whether a key is a relative, normalised POSIX path below the root that UTF-8 and PostgreSQL can hold."""
    if not key or "\x00" in key or key.startswith("/") or posixpath.normpath(key) != key:
        return False
    return key.split("/", 1)[0] not in {".", ".."} and is_utf8(key)


def is_utf8(name: str) -> bool:
    """False for names that the file system gave with undecodable bytes in them (lone surrogates)."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class PathRules:
    """Globs as in pathlib: `*` and `?` stay within one folder, `**` spans folders, `[a-z]` is a set; case counts.

    A key is a document when an include glob matches it and no exclude glob matches it or a folder above it. An include
    glob that names its extension (`**/*.csv`) or a whole file name takes those files; any other (`**/*`) takes the
    known document extensions only.

    Raises:
        ValueError: a glob is empty, absolute, climbs with `..`, or holds a set such as `[z-a]`.
    """

    include: Sequence[str]
    exclude: Sequence[str]
    _named: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _open: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _excluded: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for glob in (*self.include, *self.exclude):
            _check_glob(glob)
        named = [glob for glob in self.include if _names_files(glob)]
        others = [glob for glob in self.include if not _names_files(glob)]
        object.__setattr__(self, "_named", _any_of(named))
        object.__setattr__(self, "_open", _any_of(others))
        # `docs/**` excludes all below `docs`, so matching the folder itself lets a listing skip it unread.
        object.__setattr__(self, "_excluded", _any_of([glob.removesuffix("/**") for glob in self.exclude]))

    def excludes(self, key: str) -> bool:
        """Whether this very file or folder is excluded; the folders above it are not looked at."""
        return self._excluded.fullmatch(key) is not None

    def selects(self, key: str) -> bool:
        """Whether a file in a folder that is not excluded is a document."""
        if extension_of(key) in DOCUMENT_EXTENSIONS and self._open.fullmatch(key):
            return not self.excludes(key)
        return self._named.fullmatch(key) is not None and not self.excludes(key)

    def admits(self, key: str) -> bool:
        """Whether a listing of the whole root would show this key: `selects`, with every folder above it."""
        folders = [key[: match.start()] for match in re.finditer("/", key)]
        return self.selects(key) and not any(self.excludes(folder) for folder in folders)


def _check_glob(glob: str) -> None:
    if not glob or glob.startswith("/") or ".." in glob.split("/"):
        msg = f"glob {glob!r} must be a non-empty path relative to the root without '..', such as '**/*.md'"
        raise ValueError(msg)
    try:
        re.compile(_translate(glob))
    except re.error as error:
        msg = f"glob {glob!r} holds a set that cannot be read: {error}"
        raise ValueError(msg) from None


def _names_files(glob: str) -> bool:
    """Whether the glob's last part ends in a literal extension or is a literal name."""
    name = glob.rsplit("/", 1)[-1]
    if not _WILDCARDS & set(name):
        return True
    _, dot, suffix = name.rpartition(".")
    return bool(dot and suffix) and not _WILDCARDS & set(suffix)


def _any_of(globs: Sequence[str]) -> re.Pattern[str]:
    """One pattern for `fullmatch`; none of no globs matches nothing."""
    return re.compile("|".join(_translate(glob) for glob in globs) or r"(?!)", re.DOTALL)


def _translate(glob: str) -> str:
    parts = glob.split("/")
    pieces: list[str] = []
    for position, part in enumerate(parts):
        last = position == len(parts) - 1
        if part != "**":
            pieces.append("".join(map(_translate_piece, _PIECE.findall(part))) + ("" if last else "/"))
        elif last:
            pieces.append(".+")
        elif position == 0 or parts[position - 1] != "**":
            pieces.append("(?:[^/]+/)*")
    return "".join(pieces)


def _translate_piece(piece: str) -> str:
    if piece.startswith("*"):
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if piece.startswith("[") and len(piece) > 1:
        inner = piece[1:-1].replace("\\", r"\\").replace("[", r"\[").replace("^", r"\^")
        return f"(?!/)[^{inner[1:]}]" if inner.startswith("!") else f"(?!/)[{inner}]"
    return re.escape(piece)
