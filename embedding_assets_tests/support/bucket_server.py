"""A server of the S3 protocol on loopback, and one bucket of a test's own in it.

Not here: what the tests ask of it.
"""

import json
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from typing_extensions import Self

# An account that is nobody's; the server takes any key.
_ACCOUNT, _PARTITION, _REGION = "123456789012", "aws", "eu-west-1"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of one test.

    Objects are put past the protocol: a thousand take 0.1 s so, and keys may hold what the server's own routes do not take.
    """

    name: str
    files: Any

    @property
    def url(self) -> str:
        """As a collection names it."""
        return f"s3://{self.name}"

    def put(self, texts: Mapping[str, str | bytes]) -> None:
        """Write these objects, each as a new version."""
        for key, text in texts.items():
            self.files.put_object(self.name, key, text.encode() if isinstance(text, str) else text)

    def delete(self, *keys: str) -> None:
        """Remove these objects."""
        for key in keys:
            self.files.delete_object(self.name, key)

    def remove(self) -> None:
        """Remove the bucket itself, with what is in it."""
        self.delete(*list(self.files.buckets[self.name].keys))
        self.files.delete_bucket(self.name)

    def deny(self, action: str, below: str = "*") -> None:
        """Refuse this action to everybody from now on."""
        on = [f"arn:aws:s3:::{self.name}", f"arn:aws:s3:::{self.name}/{below}"]
        statement = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": on}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self.files.put_bucket_policy(self.name, json.dumps(policy).encode())


class BucketServer:
    """The server for the length of a `with` block.

    It denies requests with `refuses` in their path or query, and never answers those with `swallows`. `asked` counts requests.
    """

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server: Any = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._over = threading.Event()
        self.refuses = self.swallows = ""
        self.asked = 0

    def __enter__(self) -> Self:
        self._server.start()
        # Its WSGI server is its own affair, and there is no other way to what it answers.
        served = self._server._server  # noqa: SLF001
        self._app, served.app = served.app, self._answer
        return self

    def __exit__(self, *_: object) -> None:
        if not self._over.is_set():
            self.stop()

    def stop(self) -> None:
        """As a server that is killed: its port refuses from now on."""
        self._over.set()
        self._server.stop()
        self._server._server.server_close()  # noqa: SLF001 - as above

    @property
    def address(self) -> str:
        """`http://127.0.0.1:PORT`."""
        host, port = self._server.get_host_and_port()
        return f"http://{host}:{port}"

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.asked += 1
        whole = f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
        if self.swallows and self.swallows in whole:
            self._over.wait(20)
        if self.refuses and self.refuses in whole:
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]
        return self._app(environ, start_response)


def new_bucket(server: BucketServer, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket, with the cloud's own variables leading to this server and to nowhere else."""
    from moto.s3.models import s3_backends

    variables = {
        "AWS_ENDPOINT_URL_S3": server.address,
        "AWS_ACCESS_KEY_ID": "a-key",
        "AWS_SECRET_ACCESS_KEY": "a-secret",
        "AWS_DEFAULT_REGION": _REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    files = s3_backends[_ACCOUNT][_PARTITION]
    name = f"docs-{uuid.uuid4().hex[:12]}"
    files.create_bucket(name, _REGION)
    return Bucket(name, files)
