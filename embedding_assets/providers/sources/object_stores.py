"""Objects in buckets through fsspec: S3 page by page, Google's and Azure's as fsspec lists them. Clients are imported at first use.

Credentials and addresses come from the environment and the cloud's own chain, never from us. Errors are the client's own: bucket.py
says what they mean. Not here: which objects are documents.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any, Protocol, cast

# Of one request; the client tries it at most three times, and whatever happens a call ends after the last of these.
_CONNECT_SECONDS, _READ_SECONDS, _CALL_SECONDS = 10, 30, 120
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An object of a bucket; `tag` is what the store changes with its content: an etag, or a generation."""

    key: str
    size: int
    tag: str
    changed_at: datetime | None


class BrokenOff(Exception):
    """The store gave a listing without its rest, or an object without all of its bytes."""


class ObjectStore(Protocol):
    """One bucket. Every method raises whatever its client does."""

    def objects(self, prefix: str) -> Iterator[FoundObject]:
        """Every object whose key begins with `prefix`."""
        ...

    def read(self, key: str, *, at_most: int) -> tuple[FoundObject, bytes]:
        """One object; of a larger one no bytes. FileNotFoundError where there is none, or no such bucket."""
        ...

    def look(self, prefix: str) -> None:
        """Return where the bucket can be listed."""
        ...


class S3Store:
    """A bucket that speaks the S3 protocol. Keys go to it as they are, never as paths."""

    def __init__(self, bucket: str, options: Mapping[str, object]) -> None:
        self._bucket = bucket
        self._options = options
        self._opened: Any = None

    def objects(self, prefix: str) -> Iterator[FoundObject]:
        """By pages of a thousand, so that a million are never in memory."""
        more: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", Prefix=prefix, **more)
            for entry in page.get("Contents", ()):
                yield FoundObject(entry["Key"], entry["Size"], entry["ETag"].strip('"'), entry["LastModified"])
            if not page.get("IsTruncated"):
                return
            token = page.get("NextContinuationToken")
            if not token or token == more.get("ContinuationToken"):
                raise BrokenOff("the store says that there is more, and not how to go on")
            more = {"ContinuationToken": token}

    def read(self, key: str, *, at_most: int) -> tuple[FoundObject, bytes]:
        """In one request, so that bytes and etag are of one version."""
        return _synced(self._files, self._read, key, at_most)

    def look(self, prefix: str) -> None:
        """Lists one object."""
        self._call("list_objects_v2", Prefix=prefix, MaxKeys=1)

    @property
    def _files(self) -> Any:
        if self._opened is None:
            self._opened = _s3_files(self._options)
        return self._opened

    def _call(self, method: str, **values: object) -> dict[str, Any]:
        async def call() -> dict[str, Any]:
            return await self._files._call_s3(method, Bucket=self._bucket, **values)  # noqa: SLF001 - fsspec's names of what is async

        return _synced(self._files, call)

    async def _read(self, key: str, at_most: int) -> tuple[FoundObject, bytes]:
        answer = await self._files._call_s3("get_object", Bucket=self._bucket, Key=key)  # noqa: SLF001 - as above
        size = answer["ContentLength"]
        found = FoundObject(key, size, answer["ETag"].strip('"'), answer["LastModified"])
        async with answer["Body"] as body:
            raw = bytearray()
            while size <= at_most and (piece := await body.read(_CHUNK)):
                raw += piece
        if size <= at_most and len(raw) != size:
            message = f"{len(raw)} of {size} bytes arrived"
            raise BrokenOff(message)
        return found, bytes(raw)


class FsspecStore:
    """A bucket of any other file system of fsspec; its listing is taken in one piece, as fsspec gives it."""

    def __init__(self, bucket: str, files: Callable[[], Any]) -> None:
        self._bucket = bucket
        self._open = files
        self._opened: Any = None

    def objects(self, prefix: str) -> Iterator[FoundObject]:
        """Azure's finds nothing in a container that is not there: an empty answer is looked into."""
        found = cast(
            "dict[str, dict[str, Any]]",
            self._files.find(f"{self._bucket}/{prefix}".rstrip("/"), detail=True, timeout=_CALL_SECONDS * 5),
        )
        if not found:
            self.look(prefix)
        for info in found.values():
            if info["type"] == "file":
                yield self._found(info)

    def read(self, key: str, *, at_most: int) -> tuple[FoundObject, bytes]:
        """What is known of it first, then its bytes: a version in between is found by the next poll."""
        path = f"{self._bucket}/{key}"
        info = self._files.info(path, timeout=_CALL_SECONDS)
        if info["type"] != "file":
            raise FileNotFoundError(path)
        found = self._found(info)
        if not 0 < found.size <= at_most:
            return found, b""
        return found, self._files.cat_file(path, start=0, end=at_most + 1, timeout=_CALL_SECONDS)

    def look(self, prefix: str) -> None:
        """Lists what is at the top of the bucket; `prefix` may be gone with its last object."""
        del prefix
        self._files.ls(self._bucket, detail=False, timeout=_CALL_SECONDS)

    @property
    def _files(self) -> Any:
        # Made at first use: Google's asks for credentials as soon as it is there.
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _found(self, info: Mapping[str, Any]) -> FoundObject:
        key = str(info["name"]).removeprefix("/").removeprefix(f"{self._bucket}/")
        tags = (info.get(name) for name in ("generation", "etag", "ETag"))
        times = (info.get(name) for name in ("mtime", "last_modified", "LastModified"))
        tag = next((str(tag).strip('"') for tag in tags if tag), "")
        return FoundObject(key, int(info["size"] or 0), tag, next((time for time in times if time), None))


def open_store(protocol: str, bucket: str, options: Mapping[str, object]) -> ObjectStore:
    """The bucket; nothing is connected yet. Its client is installed, as `bucket.py` made sure."""
    anonymous = bool(options.get("anon"))
    if protocol == "s3":
        return S3Store(bucket, options)
    if protocol == "gs":
        chosen = {name: options[name] for name in ("project", "requester_pays") if name in options}
        # Named, because gcsfs would go on without any credentials where it finds none.
        token = "anon" if anonymous else "google_default"
        return FsspecStore(bucket, lambda: _opened("gcsfs", "GCSFileSystem", token=token, **chosen))
    chosen = {"account_name": options["account_name"]} if "account_name" in options else {}
    times = {"connection_timeout": _CONNECT_SECONDS, "read_timeout": _READ_SECONDS}
    return FsspecStore(bucket, lambda: _opened("adlfs", "AzureBlobFileSystem", anon=anonymous, **chosen, **times))


def _s3_files(options: Mapping[str, object]) -> Any:
    config: dict[str, object] = {
        "connect_timeout": _CONNECT_SECONDS,
        "read_timeout": _READ_SECONDS,
        "retries": {"mode": "standard", "max_attempts": 3},
    }
    if options.get("path_style"):
        config["s3"] = {"addressing_style": "path"}
    files = _opened(
        "s3fs",
        "S3FileSystem",
        anon=bool(options.get("anon")),
        requester_pays=bool(options.get("requester_pays")),
        client_kwargs={"region_name": options["region"]} if "region" in options else {},
        config_kwargs=config,
    )
    # botocore tries again by itself: both together would be five times three.
    files.retries = 1
    return files


def _opened(package: str, file_system: str, **options: object) -> Any:
    """A file system of its own, that remembers no listing."""
    made = getattr(import_module(package), file_system)
    return made(skip_instance_cache=True, use_listings_cache=False, **options)


def _synced(files: Any, call: Callable[..., Any], *values: object) -> Any:
    """Run in fsspec's event loop, and cancelled there when the time is over."""
    from fsspec.asyn import sync  # noqa: PLC0415 - costs 0.1 s, and most sources are no buckets

    return sync(files.loop, call, *values, timeout=_CALL_SECONDS)
