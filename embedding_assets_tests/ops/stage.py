"""One scenario on stage: a database of its own, the load, exporter, Prometheus, Alertmanager and a webhook that is told.

Time is scaled by the rules: an hour of theirs is a minute and a half. Not here: what goes wrong (scenarios).
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from embedding_assets.local import start_embedded, stop_embedded
from embedding_assets.store import migrations
from embedding_assets_tests.ops.load import be_slow_as_usual, load, prepare, working
from embedding_assets_tests.ops.scenarios import Play, Scenario
from embedding_assets_tests.ops.servers import (
    Prometheus,
    alertmanager,
    exporter,
    free_port,
    prometheus,
    wait_for,
    wait_until,
)
from embedding_assets_tests.support.webhook import Webhook

FASTER = 40
_CHANGES_PER_MINUTE = 30
_LOADED_SECONDS = 120.0
_TOLD_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything at work, and no fault yet. The addresses are there to be looked at."""

    play: Play
    prometheus: Prometheus
    webhook: Webhook
    exporter_url: str
    alertmanager_url: str

    def told(self, status: str = "firing") -> set[str]:
        """The alerts that the webhook was told of."""
        return {
            alert["labels"]["alertname"]
            for message in list(self.webhook.told)
            for alert in message["alerts"]
            if alert["status"] == status
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """`after` is the seconds from the fault until the webhook was told; `before` and `told` are all it was told of."""

    after: float
    before: set[str]
    told: set[str]
    fired: set[str] = field(default_factory=set[str])


@contextmanager
def on_stage(scenario: Scenario) -> Generator[Stage, None, None]:
    """All of it, stopped at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="embedding-assets-ops-") as name, ExitStack() as stack:
        folder = Path(name)
        stack.callback(stop_embedded, folder)
        url = start_embedded(folder).database_url
        migrations.upgrade(url)
        target = asyncio.run(
            prepare(url, freshness_seconds=3600 / FASTER, requests_per_minute=scenario.requests_per_minute)
        )
        played = stack.enter_context(load(url, folder, target, port=free_port(), per_minute=_CHANGES_PER_MINUTE))
        wait_for(f"{played.provider.base_url}/counters")
        be_slow_as_usual(played.provider)
        webhook = stack.enter_context(Webhook())
        scraped = stack.enter_context(exporter(folder, {**os.environ, "EMBEDDING_ASSETS_DATABASE_URL": url}))
        telling = stack.enter_context(alertmanager(folder, webhook=webhook.url, faster=FASTER))
        asked = stack.enter_context(prometheus(folder, exporter=scraped, alertmanager=telling, faster=FASTER))
        workers = stack.enter_context(ExitStack())
        workers.enter_context(working(played))
        play = Play(played, workers)
        stack.enter_context(play.held)
        exposed, gathered = f"http://127.0.0.1:{scraped}/metrics", f"http://127.0.0.1:{telling}"
        yield Stage(play, asked, webhook, exposed, gathered)


def wait_for_load(stage: Stage) -> None:
    """Return once changes are published."""

    def published() -> bool:
        return (stage.prometheus.value('sum(embedding_freshness_sla_documents_total{result="met"})') or 0) > 5

    wait_until(published, _LOADED_SECONDS, "no change was published")


def play(scenario: Scenario, stage: Stage, *, calm: float, watch: float, say: Callable[[str], None]) -> Outcome:
    """Watch for so long without the fault, bring it about, wait for its alert, and watch for other alerts."""
    wait_for_load(stage)
    time.sleep(calm)
    before = stage.told()
    scenario.begin(stage.play)
    began = time.monotonic()
    say(f"{scenario.name}: {scenario.says}")
    wait_until(
        lambda: scenario.alert in stage.told(), _TOLD_SECONDS, f"{scenario.alert} did not come; {stage.told()} did"
    )
    after = time.monotonic() - began
    say(
        f"{scenario.name}: {scenario.alert} reached the webhook after {after:.0f} s, {after * FASTER / 60:.0f} min by its rules"
    )
    time.sleep(watch)
    return Outcome(after, before, stage.told(), stage.prometheus.firing())
