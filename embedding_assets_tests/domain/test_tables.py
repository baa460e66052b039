"""Keys of several columns as one text and back, and a row as a document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding_assets.domain.failures import ErrorType, SourceError
from embedding_assets.domain.tables import TableColumns, TableRow, document_of, joined_key, split_key

_COLUMNS = TableColumns("public", "articles", ("id",), ("summary", "body"))
_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.lists(_TEXT, min_size=1, max_size=4))
def test_a_key_reads_back_as_the_columns_it_was_made_of(parts: list[str]) -> None:
    assert split_key(joined_key(parts), len(parts)) == parts


@given(st.lists(_TEXT, min_size=2, max_size=2), st.lists(_TEXT, min_size=2, max_size=2))
def test_two_keys_never_read_the_same(one: list[str], other: list[str]) -> None:
    assert (joined_key(one) == joined_key(other)) == (one == other)


@pytest.mark.parametrize("key", ["a", "a/b/c", "a%/b", "a/%2f", "a\0/b"])
def test_a_text_that_is_no_key_of_two_columns_is_none(key: str) -> None:
    assert split_key(key, 2) is None


def test_columns_of_the_content_are_joined_and_empty_ones_left_out() -> None:
    row = TableRow(9, ["short", None, "", "long"], title=" a\n title ", metadata={"n": 1})
    document = document_of(_COLUMNS, "7", row, max_bytes=100)
    assert (document.content, document.title, document.metadata) == ("short\n\nlong", "a title", {"n": 1})


def test_a_row_without_any_text_is_an_empty_document() -> None:
    assert document_of(_COLUMNS, "7", TableRow(0, [None, None]), max_bytes=100).content == ""


def test_a_row_that_came_without_its_content_is_too_large() -> None:
    with pytest.raises(
        SourceError, match=r"'7' of public\.articles has 101 bytes, more than max_bytes = 100"
    ) as caught:
        document_of(_COLUMNS, "7", TableRow(101, None), max_bytes=100)
    assert caught.value.error_type is ErrorType.TOO_LARGE
