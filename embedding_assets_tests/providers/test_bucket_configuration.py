"""What the file may say of a bucket: no credentials, no addresses, no other protocol, nothing that climbs."""

import subprocess
import sys
from pathlib import Path

import pytest

from embedding_assets.providers.sources import bucket as bucket_module
from embedding_assets.providers.sources.directory import DirectorySource
from embedding_assets.providers.sources.registry import build_source
from embedding_assets_tests.support.bucket_server import BucketServer, new_bucket


def _refusal(**config: object) -> str:
    with pytest.raises(ValueError, match="source of type 'bucket'") as caught:
        build_source({"type": "bucket", **config})
    return str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "docs",
        "/docs",
        "s3://",
        "s3:///docs",
        "s3://b",
        "s3://bucket/../other",
        "s3://bucket//docs",
        "s3://bucket/a/./b",
        "s3://bucket.evil.example:9000/docs",
        "s3://user@bucket/docs",
        "S3://bucket/docs",
        "s3a://bucket/docs",
        "http://127.0.0.1/docs",
        "https://bucket.s3.amazonaws.com/docs",
        "ftp://host/docs",
        "memory://docs",
        "github://org:repo@main/docs",
        "simplecache::s3://bucket/docs",
        "zip://a.zip::s3://bucket/docs",
        "s3://bucket/docs::file:///etc",
        "file://host/docs",
        "file:///",
        "file:///docs/../etc",
        "s3://bucket/a\0b",
    ],
)
def test_a_url_of_another_kind_is_refused_with_what_is_allowed(url: str) -> None:
    message = _refusal(url=url)
    assert "must be s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, abfs://CONTAINER/PREFIX or file:///FOLDER" in message


def test_credentials_in_a_url_are_not_repeated() -> None:
    assert "sesame" not in _refusal(url="s3://AKIAABCDEFGHIJKLMNOP:sesame-open@bucket/docs")


@pytest.mark.parametrize(
    "key",
    [
        "endpoint_url",
        "key",
        "secret",
        "token",
        "profile",
        "client_kwargs",
        "account_key",
        "connection_string",
        "account_host",
    ],
)
def test_credentials_and_addresses_are_no_keys_of_the_file(key: str) -> None:
    for protocol in ("s3", "file"):
        message = _refusal(url=f"{protocol}:///docs" if protocol == "file" else "s3://bucket", **{key: "sesame"})
        assert (f"unknown key {key!r}" in message, "sesame" in message) == (True, False)


@pytest.mark.parametrize("value", ["evil.example/", "a.b", "x@y", "", "a b", "eu-west-1.evil.example"])
def test_a_region_cannot_lead_to_another_host(value: str) -> None:
    assert "region = " in _refusal(url="s3://bucket", region=value)


@pytest.mark.parametrize(("protocol", "package"), [("s3", "s3fs"), ("gs", "gcsfs"), ("abfs", "adlfs")])
def test_a_client_that_is_not_installed_is_named_with_what_installs_it(
    protocol: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "find_spec", lambda _: None)
    message = _refusal(url=f"{protocol}://bucket/docs")
    assert f"{protocol}:// needs {package}: pip install 'embedding-assets[{protocol}]'" in message


def test_a_file_url_is_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")
    (tmp_path / "out.md").symlink_to("/etc/hostname")
    source = build_source({"type": "bucket", "url": f"file://{tmp_path}", "include": ["**/*.md"]})
    assert isinstance(source, DirectorySource)
    assert [listed.document_key for listed in source.list_documents()] == ["a.md"]


def test_a_wrong_glob_size_or_encoding_is_told() -> None:
    assert "glob '../x'" in _refusal(url="s3://bucket", include=["../x"])
    assert "max_bytes = 0" in _refusal(url="s3://bucket", max_bytes=0)
    assert "encoding = 'klingon'" in _refusal(url="s3://bucket", encoding="klingon")
    assert "anon = 'yes' must be of type bool" in _refusal(url="s3://bucket", anon="yes")


def test_building_a_bucket_imports_no_client_and_connects_to_nothing() -> None:
    program = """
import sys
from embedding_assets.providers.sources.registry import build_source
connected = []
sys.addaudithook(lambda event, args: connected.append(args) if event in ("socket.connect", "socket.getaddrinfo") else None)
build_source({"type": "bucket", "url": "s3://bucket/docs"})
print([name for name in ("fsspec", "s3fs", "aiobotocore", "botocore") if name in sys.modules], connected)
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[] []"


_POLL = """
import sys
from embedding_assets.domain.failures import SourceError
from embedding_assets.providers.sources.registry import build_source
asked = set()

def heard(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple):
        asked.add(args[1][0])
    elif event == "socket.getaddrinfo":
        asked.add(args[0] if isinstance(args[0], str) else args[0].decode())

sys.addaudithook(heard)
source = build_source({"type": "bucket", "url": sys.argv[1]})
try:
    print([source.fetch(listed.document_key).content for listed in source.list_documents()])
except SourceError as error:
    print(error.error_type.value)
print(sorted(asked))
"""


@pytest.mark.parametrize(("credentials", "told"), [("there", "['x']"), ("none", "root_unavailable")])
def test_nobody_is_asked_but_the_store(
    credentials: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with BucketServer() as server:
        bucket = new_bucket(server, monkeypatch)
        bucket.put({"a.md": "x"})
        if credentials == "none":
            # Else botocore would ask 169.254.169.254 for those of the machine.
            monkeypatch.delenv("AWS_ACCESS_KEY_ID")
            monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        command = [sys.executable, "-W", "ignore", "-c", _POLL, bucket.url]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [told, "['127.0.0.1']" if credentials == "there" else "[]"]
