"""What a webserver may answer: what is worth asking again, and what is not."""

import pytest

from embedding_assets.providers.dagster_webserver import DagsterAway, DagsterRefused, DagsterWebserver
from embedding_assets_tests.providers.loopback import RESET, LoopbackProvider, Said

_FAULT = {"data": None, "errors": [{"message": "could not connect to postgresql://dagster:hunter2@db/dagster"}]}


@pytest.mark.parametrize(
    "says",
    [
        Said(500, _FAULT),
        Said(200, _FAULT),
        Said(503, "<h1>no healthy upstream</h1>"),
        Said(429, "slow down"),
        RESET,
    ],
)
def test_a_failure_of_the_moment_may_be_asked_again(says: Said | str) -> None:
    with LoopbackProvider() as other, DagsterWebserver(other.base_url) as webserver:
        other.says = says
        with pytest.raises(DagsterAway) as away:
            webserver.ask("query { version }", {})
    assert "hunter2" not in str(away.value)


@pytest.mark.parametrize(
    "says",
    [
        Said(400, {"errors": [{"message": "Cannot query field 'nothing'"}]}),
        Said(401, "who are you?"),
        Said(404, "<h1>not here</h1>"),
        Said(302, "", {"Location": "https://login.example.com"}),
        Said(200, "<h1>a login page</h1>"),
    ],
)
def test_an_answer_that_will_not_change_is_not_asked_for_again(says: Said) -> None:
    with LoopbackProvider() as other, DagsterWebserver(other.base_url) as webserver:
        other.says = says
        with pytest.raises(DagsterRefused):
            webserver.ask("query { version }", {})
        assert len(other.paths) == 1


def test_nobody_at_that_port_is_away_and_no_address_is_refused() -> None:
    with DagsterWebserver("http://127.0.0.1:1") as webserver, pytest.raises(DagsterAway, match="ConnectError"):
        webserver.ask("query { version }", {})
    with DagsterWebserver("http://a b:x") as webserver, pytest.raises(DagsterRefused):
        webserver.ask("query { version }", {})


def test_a_password_in_the_address_is_not_shown() -> None:
    with DagsterWebserver("http://argo:hunter2@127.0.0.1:1") as webserver, pytest.raises(DagsterAway) as away:
        webserver.ask("query { version }", {})
    assert "hunter2" not in str(away.value)
