"""A bucket, or what is below a prefix of one, as a source of documents.

Not here: the clients of clouds (object_stores.py), which keys count (path_rules.py), how bytes become text (text_extraction.py).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import PurePosixPath
from typing import Final

from embedding_assets.domain.documents import Document, ListedDocument
from embedding_assets.domain.failures import DocumentMissing, ErrorType, SourceError
from embedding_assets.domain.ports import Source
from embedding_assets.domain.redaction import redacted
from embedding_assets.providers.sources.configuration import check_keys, globs_of, of_type, refuse, required_text
from embedding_assets.providers.sources.directory import DirectorySource
from embedding_assets.providers.sources.object_stores import FoundObject, ObjectStore, open_store
from embedding_assets.providers.sources.path_rules import PathRules, is_plain_key
from embedding_assets.providers.sources.text_extraction import extension_of, extract_text, text_encoding

# What brings the client of each protocol, and which options it has besides those of every source.
_PACKAGES: Final = {"s3": "s3fs", "gs": "gcsfs", "abfs": "adlfs"}
_OPTIONS: Final[dict[str, dict[str, type]]] = {
    "s3": {"anon": bool, "region": str, "requester_pays": bool, "path_style": bool},
    "gs": {"anon": bool, "project": str, "requester_pays": bool},
    "abfs": {"anon": bool, "account_name": str},
    "file": {},
}
_READING: Final = ("include", "exclude", "max_bytes", "encoding")
_URL: Final = "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, abfs://CONTAINER/PREFIX or file:///FOLDER"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
# Whatever is put in the place of a name must not make another host of it.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")


class BucketSource:
    """The documents below a prefix; a key is an object's, relative to the prefix.

    Globs and formats as for a folder. Keys with an empty, `.` or `..` part are no documents.

    Raises:
        ValueError: a glob, `max_bytes` or `encoding` that cannot be used.
    """

    def __init__(
        self,
        store: ObjectStore,
        url: str,
        include: Sequence[str] = ("**/*",),
        exclude: Sequence[str] = ("**/.*",),
        max_bytes: int = 20_000_000,
        encoding: str = "utf-8",
    ) -> None:
        if max_bytes < 1:
            msg = f"max_bytes = {max_bytes!r} must be at least 1"
            raise ValueError(msg)
        self._store = store
        self._url = url.rstrip("/")
        below = self._url.partition("://")[2].partition("/")[2]
        self._prefix = f"{below}/" if below else ""
        self._rules = PathRules(tuple(include), tuple(exclude))
        self._max_bytes = max_bytes
        self._encoding = text_encoding(encoding)

    def list_documents(self) -> Iterator[ListedDocument]:
        """Every document; the signature is `tag:size:time`.

        Raises:
            SourceError: `root_unavailable`; what was given so far is no whole listing then.
        """
        try:
            for found in self._store.objects(self._prefix):
                key = found.key.removeprefix(self._prefix)
                if found.key.startswith(self._prefix) and is_plain_key(key) and self._rules.admits(key):
                    yield ListedDocument(key, _signature(found), found.changed_at)
        except Exception as error:  # noqa: BLE001 - each cloud's client has errors of its own, and its network's
            raise self._unavailable(error) from None

    def fetch(self, document_key: str) -> Document:
        """One object, decoded and extracted by its extension.

        Raises:
            DocumentMissing: no listing would show this key.
            SourceError: `root_unavailable`, `source_unreadable`, `undecodable` or `too_large`.
        """
        found, raw = self._read(document_key)
        if found.size > self._max_bytes or len(raw) > self._max_bytes:
            size = max(found.size, len(raw))
            msg = f"{document_key!r} has {size} bytes, more than max_bytes = {self._max_bytes}; raise it or exclude it"
            raise SourceError(ErrorType.TOO_LARGE, msg)
        extracted = extract_text(document_key, raw, self._encoding)
        return Document(
            document_key=document_key,
            content=extracted.content,
            title=extracted.title or PurePosixPath(document_key).stem,
            uri=f"{self._url}/{document_key}",
            metadata={"path": document_key, "extension": extension_of(document_key)},
            source_updated_at=found.changed_at,
        )

    def _read(self, key: str) -> tuple[FoundObject, bytes]:
        try:
            if not (is_plain_key(key) and self._rules.admits(key)):
                raise FileNotFoundError(key)  # noqa: TRY301 - as if the store had said so
            return self._store.read(self._prefix + key, at_most=self._max_bytes)
        except Exception as error:  # noqa: BLE001 - as above
            failed = error
        # A store without the right to list says "denied" of what is not there, one without the bucket "not found".
        try:
            self._store.look(self._prefix)
        except Exception as error:  # noqa: BLE001 - as above
            raise self._unavailable(error) from None
        if isinstance(failed, FileNotFoundError):
            raise DocumentMissing(f"{key!r} is not a document of {self._url!r}")
        msg = f"cannot read {key!r} of {self._url!r} ({_told(failed)}); it is tried again later, check its permissions"
        raise SourceError(ErrorType.SOURCE_UNREADABLE, msg)

    def _unavailable(self, error: Exception) -> SourceError:
        msg = (
            f"cannot list {self._url!r} ({_told(error)}); check its name, the network, and the rights of the credentials that the "
            "cloud's own variables give this process"
        )
        return SourceError(ErrorType.ROOT_UNAVAILABLE, msg)


def build_bucket(config: Mapping[str, object]) -> Source:
    """The source that a collection's `source` table of this type describes; `file` is a folder.

    Raises:
        ValueError: a key or value that cannot be used, or the client of the protocol is not installed.
    """
    url = required_text(config, "url", _URL)
    protocol, bucket, below = _parts(config, url)
    options = _OPTIONS[protocol]
    check_keys(config, ("url", *_READING, *options))
    reading = {key: globs_of(config, key) for key in ("include", "exclude") if key in config}
    reading |= {
        key: of_type(config, key, kind) for key, kind in (("max_bytes", int), ("encoding", str)) if key in config
    }
    chosen = {key: of_type(config, key, kind) for key, kind in options.items() if key in config}
    for key, value in chosen.items():
        if isinstance(value, str) and not _NAME.fullmatch(value):
            raise refuse(config, key, "a name of letters, digits and hyphens")
    try:
        if protocol == "file":
            return DirectorySource(f"/{below}", **reading)  # pyright: ignore[reportArgumentType]  # checked by key above
        _require_client(protocol)
        url = f"{protocol}://{bucket}/{below}".rstrip("/")
        return BucketSource(open_store(protocol, bucket, chosen), url, **reading)  # pyright: ignore[reportArgumentType]  # as above
    except ValueError as error:
        msg = f"source of type 'bucket': {error}"
        raise ValueError(msg) from None


def _parts(config: Mapping[str, object], url: str) -> tuple[str, str, str]:
    """Protocol, bucket and prefix; no chained protocols, no other host, nothing that climbs."""
    protocol, _, rest = url.partition("://")
    bucket, _, below = rest.partition("/")
    below = below.rstrip("/")
    fits = protocol in _OPTIONS and "::" not in url and (not below or is_plain_key(below))
    if not fits or not (bool(_BUCKET.fullmatch(bucket)) if protocol != "file" else not bucket and bool(below)):
        # Without what stands before an @, which may be a password.
        shown = {**config, "url": redacted(url)}
        raise refuse(shown, "url", f"{_URL}; credentials and addresses are environment variables of the cloud's own")
    return protocol, bucket, below


def _require_client(protocol: str) -> None:
    if find_spec(_PACKAGES[protocol]) is None:
        msg = f"{protocol}:// needs {_PACKAGES[protocol]}: pip install 'embedding-assets[{protocol}]'"
        raise ValueError(msg)


def _signature(found: FoundObject) -> str:
    changed = found.changed_at.timestamp() if found.changed_at else 0
    return f"{found.tag}:{found.size}:{changed:.6f}"


def _told(error: Exception) -> str:
    """The client's own words, short: a cloud may answer with a page."""
    text = " ".join(str(error).split())
    return redacted(f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__)
