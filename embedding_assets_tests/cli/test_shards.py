"""Shards as a person writes them."""

import pytest
import typer

from embedding_assets.cli.shards import parse_shards


@pytest.mark.parametrize(
    ("text", "shards"),
    [("00-15", tuple(range(16))), ("00,03", (0, 3)), ("7", (7,)), ("3,1-2,2", (1, 2, 3))],
)
def test_ranges_and_lists_are_read(text: str, shards: tuple[int, ...]) -> None:
    assert parse_shards(text) == shards


@pytest.mark.parametrize("text", ["", "16", "x", "1-", "-1", "5-3", "00-16", "²"])
def test_what_names_no_shard_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as 00-15"):
        parse_shards(text)
