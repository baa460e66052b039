"""Writes into TOML files: values as TOML has them, and text behind what a file holds already, all of it or none.

Not here: which keys there are (collections_file), what is written (demo_file, collection_adding).
"""

import json
import os
import tempfile
from pathlib import Path

from embedding_assets.domain.failures import EmbeddingAssetsError


class NotWritten(EmbeddingAssetsError):
    """The file could not be written, or somebody else changed it meanwhile; it is as it was."""


def toml_value(value: object) -> str:
    """A text, number, truth or list: JSON's are TOML's too, but for DEL and surrogate pairs."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def replace_file(path: Path, before: str | None, after: str) -> None:
    """Put `after` in the place of `before` (None: there is no such file), in one step; a reader sees one of them whole.

    A link stays a link, and the file keeps its mode.

    Raises:
        NotWritten: it does not hold `before` any more, or the folder cannot be written.
    """
    target = path.resolve()
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(after.encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(target.stat().st_mode & 0o777 if before is not None else 0o644)
        if read_exactly(target) != before:
            raise NotWritten(f"{path}: somebody else changed it meanwhile; nothing was written: try again")
        temporary.replace(target)
    except OSError as error:
        raise NotWritten(f"{path}: {error.strerror}; nothing was written") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def read_exactly(path: Path) -> str | None:
    """The file's text with its line ends as they are; None where there is none."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
