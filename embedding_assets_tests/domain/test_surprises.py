"""What is told of an error nobody foresaw: where it came from, and nothing of what it says."""

import pytest

from embedding_assets.domain.surprises import causes, described

TEXT = "the text of a document"


def _look_up() -> None:
    {}[TEXT]


def _embed() -> None:
    try:
        _look_up()
    except KeyError as error:
        raise ValueError(TEXT) from error


def test_every_cause_is_told_by_its_type_and_its_place_and_none_by_its_message() -> None:
    with pytest.raises(ValueError, match=TEXT) as caught:
        _embed()
    told = described(caught.value)
    assert told.index("builtins.ValueError") < told.index("builtins.KeyError")
    assert "in _look_up" in told
    assert TEXT not in told


def test_errors_that_cause_each_other_end() -> None:
    first, second = ValueError(), TypeError()
    first.__cause__, second.__cause__ = second, first
    assert list(causes(first)) == [first, second]
