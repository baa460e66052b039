"""A bucket as a source, on a real server of the S3 protocol: what is listed, what is read, and what is not there."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

import pytest

from embedding_assets.domain.failures import DocumentMissing, ErrorType, SourceError
from embedding_assets.domain.ports import Source
from embedding_assets.providers.sources.bucket import BucketSource
from embedding_assets.providers.sources.object_stores import FsspecStore
from embedding_assets.providers.sources.registry import build_source
from embedding_assets_tests.support.bucket_server import Bucket, BucketServer, new_bucket

# Whatever a key may hold that a URL, a query or XML could take for something else.
_ODD = ['it\'s "q"/ünd 😀.md', "a+b %41&c=d?versionId=3#x.md", "<&>;\\.md", "tab\tand\rreturn.md", "%2F.md", " .md"]


@pytest.fixture(scope="module")
def server() -> Iterator[BucketServer]:
    with BucketServer() as running:
        yield running


@pytest.fixture
def bucket(server: BucketServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    yield new_bucket(server, monkeypatch)
    server.refuses = server.swallows = ""


def _source(bucket: Bucket, below: str = "", **more: object) -> Source:
    return build_source({"type": "bucket", "url": f"{bucket.url}{below}", **more})


def _by_fsspec(bucket: Bucket, below: str = "", **more: Any) -> Source:
    """The way of Google's and Azure's file systems, on the one that can be tried here."""

    def files() -> Any:
        from s3fs import S3FileSystem

        return S3FileSystem(skip_instance_cache=True, use_listings_cache=False)

    return BucketSource(FsspecStore(bucket.name, files), f"{bucket.url}{below}", **more)


both_ways = pytest.mark.parametrize("made", [_source, _by_fsspec])
Made = Callable[..., Source]


def _keys(source: Source) -> list[str]:
    return sorted(listed.document_key for listed in source.list_documents())


def _failure(ask: Callable[[], object]) -> SourceError:
    with pytest.raises(SourceError) as caught:
        ask()
    return caught.value


@both_ways
def test_what_is_below_the_prefix_is_listed_and_read(bucket: Bucket, made: Made) -> None:
    before = datetime.now(timezone.utc).replace(microsecond=0)
    bucket.put({"docs/a.md": "# Title\n\nText", "docs/sub/b.txt": "text", "docs.md": "beside", "docsx/c.md": "beside"})
    source = made(bucket, "/docs")
    assert _keys(source) == ["a.md", "sub/b.txt"]
    document = source.fetch("a.md")
    assert (document.content, document.title, document.uri) == ("# Title\n\nText", "Title", f"{bucket.url}/docs/a.md")
    assert document.metadata == {"path": "a.md", "extension": ".md"}
    assert document.source_updated_at is not None
    assert document.source_updated_at >= before
    assert source.fetch("sub/b.txt").title == "b"


@both_ways
def test_hidden_keys_and_folder_marks_are_as_for_a_folder(bucket: Bucket, made: Made) -> None:
    bucket.put(dict.fromkeys(["a.md", "b.csv", ".hidden/c.md", "d/.e.md", "d/", "f/g/h.html", "i.png"], "x"))
    assert _keys(made(bucket)) == ["a.md", "f/g/h.html"]


def test_globs_are_as_for_a_folder(bucket: Bucket) -> None:
    bucket.put(dict.fromkeys(["a.md", "b.csv", ".hidden/c.md", "f/g/h.html", "i.png"], "x"))
    assert _keys(_source(bucket, include=["**/*.csv", "f/**"])) == ["b.csv", "f/g/h.html"]
    assert _keys(_source(bucket, exclude=["f"])) == [".hidden/c.md", "a.md"]


def test_keys_with_parts_that_no_path_has_are_left_out(bucket: Bucket) -> None:
    bucket.put(dict.fromkeys(["a.md", "b//c.md", "./d.md", "e/../f.md", "/g.md"], "x"))
    source = _source(bucket)
    assert _keys(source) == ["a.md"]
    for key in ("b//c.md", "e/../f.md", "../other/a.md", "/g.md"):
        with pytest.raises(DocumentMissing):
            source.fetch(key)


def test_a_key_is_taken_as_it_is_whatever_it_holds(bucket: Bucket) -> None:
    bucket.put({f"docs/{key}": f"text of {key}" for key in _ODD})
    source = _source(bucket, "/docs/")
    assert _keys(source) == sorted(_ODD)
    assert [source.fetch(key).content for key in _ODD] == [f"text of {key}" for key in _ODD]


def test_a_key_with_a_line_break_is_listed(bucket: Bucket) -> None:
    bucket.put({"two\nlines.md": "x"})
    assert _keys(_source(bucket)) == ["two\nlines.md"]


@both_ways
def test_more_than_a_page_is_listed_whole(bucket: Bucket, made: Made) -> None:
    bucket.put({f"many/{number:05}.md": "x" for number in range(1100)})
    assert _keys(made(bucket, "/many")) == [f"{number:05}.md" for number in range(1100)]


@both_ways
def test_the_signature_changes_with_each_version_and_stays_without_one(bucket: Bucket, made: Made) -> None:
    source = made(bucket)
    bucket.put({"a.md": "one", "b.md": "stays"})
    first = {listed.document_key: listed.signature for listed in source.list_documents()}
    bucket.put({"a.md": "two"})
    second = {listed.document_key: listed.signature for listed in source.list_documents()}
    assert (first["a.md"] != second["a.md"], first["b.md"] == second["b.md"]) == (True, True)
    assert source.fetch("a.md").content == "two"


@both_ways
def test_an_object_that_is_gone_is_missing_and_its_bucket_is_not(bucket: Bucket, made: Made) -> None:
    bucket.put({"a.md": "x", "b.md": "x"})
    source = made(bucket)
    assert _keys(source) == ["a.md", "b.md"]
    bucket.delete("a.md")
    with pytest.raises(DocumentMissing, match=r"'a\.md' is not a document of"):
        source.fetch("a.md")
    bucket.remove()
    assert _failure(lambda: source.fetch("b.md")).error_type is ErrorType.ROOT_UNAVAILABLE
    assert _failure(lambda: list(source.list_documents())).error_type is ErrorType.ROOT_UNAVAILABLE


def test_a_prefix_that_lost_its_last_object_is_an_empty_listing_and_a_readable_root(bucket: Bucket) -> None:
    source = _source(bucket, "/docs")
    assert _keys(source) == []
    with pytest.raises(DocumentMissing):
        source.fetch("a.md")


@both_ways
def test_the_size_is_held_against_the_limit_before_and_not_after_it_is_read(bucket: Bucket, made: Made) -> None:
    bucket.put({"fits.md": "x" * 100, "large.md": "x" * 101, "empty.md": ""})
    source = made(bucket, max_bytes=100)
    assert (source.fetch("fits.md").content, source.fetch("empty.md").content) == ("x" * 100, "")
    error = _failure(lambda: source.fetch("large.md"))
    assert (error.error_type, "101 bytes, more than max_bytes = 100" in str(error)) == (ErrorType.TOO_LARGE, True)


def test_text_is_extracted_and_refused_as_for_a_folder(bucket: Bucket) -> None:
    bucket.put({"a.html": "<title>T</title><script>no</script><p>caf&eacute;", "b.md": b"\xff", "c.md": "a\0b"})
    source = _source(bucket)
    document = source.fetch("a.html")
    assert (document.title, document.content.strip()) == ("T", "café")
    for key in ("b.md", "c.md"):
        assert _failure(lambda key=key: source.fetch(key)).error_type is ErrorType.UNDECODABLE
    assert _source(bucket, encoding="latin-1").fetch("b.md").content == "ÿ"


def test_one_object_that_may_not_be_read_fails_alone(bucket: Bucket) -> None:
    bucket.put({"a.md": "x", "secret.md": "x"})
    bucket.deny("s3:GetObject", "secret.md")
    source = _source(bucket)
    assert source.fetch("a.md").content == "x"
    error = _failure(lambda: source.fetch("secret.md"))
    assert (error.error_type, "PermissionError" in str(error)) == (ErrorType.SOURCE_UNREADABLE, True)


def test_a_bucket_that_may_not_be_listed_is_unavailable_whatever_is_asked_of_it(
    bucket: Bucket, server: BucketServer
) -> None:
    bucket.put({"a.md": "x"})
    source = _source(bucket)
    server.refuses = "list-type"
    error = _failure(lambda: list(source.list_documents()))
    assert (error.error_type, "Access Denied" in str(error)) == (ErrorType.ROOT_UNAVAILABLE, True)
    assert _failure(lambda: source.fetch("gone.md")).error_type is ErrorType.ROOT_UNAVAILABLE


def test_a_store_that_stops_between_two_pages_has_not_listed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    with BucketServer() as server:
        bucket = new_bucket(server, monkeypatch)
        bucket.put({f"{number:05}.md": "x" for number in range(1100)})
        listing = _source(bucket).list_documents()
        for _ in range(1000):
            next(listing)
        server.stop()
        error = _failure(lambda: list(listing))
    assert (error.error_type, bucket.url in str(error)) == (ErrorType.ROOT_UNAVAILABLE, True)


@pytest.mark.parametrize("token", [None, "again"])
def test_a_listing_that_says_there_is_more_and_not_how_to_go_on_is_not_whole(
    bucket: Bucket, token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from embedding_assets.providers.sources import object_stores

    page: Mapping[str, object] = {"IsTruncated": True, **({"NextContinuationToken": token} if token else {})}
    monkeypatch.setattr(object_stores.S3Store, "_call", lambda *_, **__: page)
    error = _failure(lambda: list(_source(bucket).list_documents()))
    assert (error.error_type, "BrokenOff" in str(error)) == (ErrorType.ROOT_UNAVAILABLE, True)


def test_a_store_that_never_answers_does_not_hold_the_reader(
    bucket: Bucket, server: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from embedding_assets.providers.sources import object_stores

    bucket.put({"a.md": "x"})
    monkeypatch.setattr(object_stores, "_CALL_SECONDS", 4)
    server.swallows = "/a.md"
    assert _failure(lambda: _source(bucket).fetch("a.md")).error_type is ErrorType.SOURCE_UNREADABLE
    server.swallows = bucket.name
    assert _failure(lambda: list(_source(bucket).list_documents())).error_type is ErrorType.ROOT_UNAVAILABLE


def test_a_bucket_is_read_without_credentials_where_the_file_says_so(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put({"a.md": "x"})
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert _keys(_source(bucket, anon=True, region="eu-west-1", path_style=True, requester_pays=True)) == ["a.md"]
    error = _failure(lambda: list(_source(bucket).list_documents()))
    assert (error.error_type, "NoCredentials" in str(error)) == (ErrorType.ROOT_UNAVAILABLE, True)
