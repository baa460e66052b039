"""Every alert on a history it is for, and on one it is not for, played by promtool."""

from pathlib import Path

import pytest

from embedding_assets_tests.ops.promtool import play
from embedding_assets_tests.ops.rule_cases import CASES
from embedding_assets_tests.ops.rule_cases.case import Case

pytestmark = pytest.mark.ops


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.about}: {case.story}")
def test_exactly_the_alerts_of_the_history_fire(case: Case, tmp_path: Path) -> None:
    assert play(case, tmp_path) == ""
