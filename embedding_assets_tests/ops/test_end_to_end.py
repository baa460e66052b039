"""With real Prometheus and Alertmanager: a fault under load, and the webhook is told of the right alert, and of no other."""

import pytest

from embedding_assets_tests.ops.scenarios import SCENARIOS, Scenario
from embedding_assets_tests.ops.stage import on_stage, play

pytestmark = pytest.mark.ops

_CALM_SECONDS = 6.0
# Longer than the promise and the rules behind it take: what only follows would have come.
_WATCHED_SECONDS = 30.0


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_right_alert_comes_and_only_it(scenario: Scenario, capsys: pytest.CaptureFixture[str]) -> None:
    with on_stage(scenario) as stage:
        outcome = play(scenario, stage, calm=_CALM_SECONDS, watch=_WATCHED_SECONDS, say=print)
    with capsys.disabled():
        print(
            f"\n{scenario.name}: {scenario.alert} after {outcome.after:.1f} s; hidden: {sorted(outcome.fired - outcome.told)}"
        )
    assert outcome.before == set()
    assert outcome.told == {scenario.alert}
