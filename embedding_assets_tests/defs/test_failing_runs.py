"""How a run ends that fails: with one sentence of ours, without what must not be in it."""

import dagster as dg
import pytest

from embedding_assets.defs.resources import clear_failures
from embedding_assets.domain.failures import ErrorType, SourceError


def test_a_run_fails_with_a_sentence_that_holds_no_secret() -> None:
    message = "cannot list https://key:hunter2@wiki.example/all?token=hunter2 (Bearer hunter2hunter2)"
    with pytest.raises(dg.Failure) as caught, clear_failures():
        raise SourceError(ErrorType.ROOT_UNAVAILABLE, message)
    assert caught.value.description == "cannot list https://key:***@wiki.example/all?*** (Bearer ***)"
    assert caught.value.metadata["error_type"].value == "root_unavailable"
    assert caught.value.__suppress_context__
