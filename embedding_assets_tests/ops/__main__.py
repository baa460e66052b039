"""`make ops`: the whole alerting on this machine, under load, with a fault: `python -m embedding_assets_tests.ops [SCENARIO]`.

Starts everything on free ports of the loopback address and stops all of it at the end, on Ctrl-C too.
"""

import argparse
import signal
import sys
import time

from embedding_assets_tests.ops.scenarios import SCENARIOS, Scenario
from embedding_assets_tests.ops.servers import missing_programs, wait_until
from embedding_assets_tests.ops.stage import FASTER, Stage, on_stage, play

_CALM_SECONDS, _WATCHED_SECONDS = 10.0, 10.0
_RESOLVED_SECONDS = 300.0


def main() -> int:
    """One scenario from its start to the alert's end; 0 when the right alert came and went."""
    given = _arguments()
    if missing := missing_programs():
        print(
            f"not installed: {', '.join(missing)}. `make ops-setup` installs them on Debian and Ubuntu.",
            file=sys.stderr,
        )
        return 2
    # A stop by a supervisor ends as Ctrl-C does: everything that was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    [scenario] = [one for one in SCENARIOS if one.name == given.scenario]
    print(
        f"A minute of the rules is {60 / FASTER:g} s here. Starting PostgreSQL, load, exporter, Alertmanager, Prometheus …"
    )
    try:
        with on_stage(scenario) as stage:
            _show(stage)
            well = _play(scenario, stage)
            if given.stay:
                print("\nEverything stays until Ctrl-C.")
                signal.pause()
    except KeyboardInterrupt:
        print("\nstopped: everything that was started is down")
        return 130
    print("everything that was started is down")
    return 0 if well else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make ops", description="A fault under load, and the alert that comes of it.")
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("scenario", nargs="?", default=names[0], choices=names)
    parser.add_argument("--stay", action="store_true", help="Leave everything running afterwards, until Ctrl-C.")
    return parser.parse_args()


def _show(stage: Stage) -> None:
    print(f"  Prometheus    {stage.prometheus.url}/alerts")
    print(f"  Alertmanager  {stage.alertmanager_url}")
    print(f"  exporter      {stage.exporter_url}")
    print(f"  webhook       {stage.webhook.url.partition('?')[0]} (this program)")
    print("A document changes every two seconds …")


def _play(scenario: Scenario, stage: Stage) -> bool:
    outcome = play(scenario, stage, calm=_CALM_SECONDS, watch=_WATCHED_SECONDS, say=print)
    _print_alert(stage, scenario.alert)
    hidden = sorted(outcome.fired - outcome.told)
    print(f"  not sent, because it only follows: {', '.join(hidden) or 'nothing yet'}")
    scenario.end(stage.play)
    ended = time.monotonic()
    print(f"{scenario.name}: the fault is over")
    wait_until(lambda: scenario.alert in stage.told("resolved"), _RESOLVED_SECONDS, f"{scenario.alert} did not end")
    print(f"{scenario.name}: the webhook was told that it is over, {time.monotonic() - ended:.0f} s later")
    return outcome.told == {scenario.alert}


def _print_alert(stage: Stage, name: str) -> None:
    alerts = [
        alert for message in stage.webhook.told for alert in message["alerts"] if alert["labels"]["alertname"] == name
    ]
    labels, notes = alerts[0]["labels"], alerts[0]["annotations"]
    print(f"  {labels['severity']} for {labels['owner']}: {notes['summary']}")
    print(f"  why this threshold: {notes['threshold']}")
    print(f"  what to do: {notes['runbook_url']}")


if __name__ == "__main__":
    raise SystemExit(main())
