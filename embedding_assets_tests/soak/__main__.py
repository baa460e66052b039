"""`python -m embedding_assets_tests.soak [SCENARIO …]`: plays them one after another and prints minutes and verdict.

Exits with 1 when any fails. Not here: what is played or judged.
"""

import argparse
import os
import signal
import sys

from embedding_assets.domain.work import Lane
from embedding_assets_tests.soak.measuring import SceneFailed, watch
from embedding_assets_tests.soak.scenarios import BACKFILL, CEILING, SCENARIOS, Scenario
from embedding_assets_tests.soak.scene import on_stage
from embedding_assets_tests.soak.verdict import Finding, Minute, judge

# The documents of the load, and half as much again: the queue must not run dry in start-up, settling and load.
_SPARE = 1.5
_BEFORE_MINUTES = 4
_NAMES = ", ".join(scenario.name for scenario in SCENARIOS)


def main() -> int:
    """The number of scenarios that failed, at most 1."""
    # Told to terminate, it ends as by Ctrl-C: everything it started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = _arguments()
    failed = [scenario.name for scenario in arguments.scenarios or SCENARIOS if not _play(scenario, arguments)]
    _say(f"failed: {', '.join(failed)}" if failed else "all passed")
    return int(bool(failed))


def _play(scenario: Scenario, arguments: argparse.Namespace) -> bool:
    documents, lane = _queue(scenario, arguments)
    _say(f"\n{scenario.name}: {scenario.says}\n{arguments.workers} workers, {documents:,} documents")
    try:
        with on_stage(scenario, workers=arguments.workers, documents=documents, lane=lane) as scene:
            _say("minute   ours  neighbour  total  429s" + "  backfill published" * bool(scenario.live_per_minute))
            seen = watch(scene, arguments.minutes, _say_minute, _say)
    except SceneFailed as error:
        _say(f"FAIL  {error}")
        return False
    findings = judge(scenario, seen.minutes, seen.log, seen.end, documents, seen.live)
    for finding in findings:
        _say_finding(finding)
    return all(finding.passed is not False for finding in findings)


def _queue(scenario: Scenario, arguments: argparse.Namespace) -> tuple[int, Lane]:
    """How many documents wait at the start, and in which lane."""
    if scenario.live_per_minute:
        return BACKFILL, Lane.BACKFILL
    lasting = int(CEILING * (arguments.minutes + _BEFORE_MINUTES) * _SPARE)
    return scenario.documents or lasting, Lane(arguments.lane)


def _say_minute(number: int, minute: Minute) -> None:
    load = os.getloadavg()[0]
    beside = "" if minute.backfill is None else f"{minute.backfill:>20,}"
    counts = f"{number:>6} {minute.ours:>6} {minute.neighbour:>10} {minute.total:>6} {minute.refused:>5}{beside}"
    _say(f"{counts}   (load {load:.1f})")


def _say_finding(finding: Finding) -> None:
    mark = {None: "    ", True: "pass", False: "FAIL"}[finding.passed]
    _say(f"{mark}  {finding.what}: {finding.value}")


def _say(line: str) -> None:
    print(line, flush=True)


def _scenario(name: str) -> Scenario:
    found = [scenario for scenario in SCENARIOS if scenario.name == name]
    if not found:
        raise argparse.ArgumentTypeError(f"there is no {name!r}; there are {_NAMES}")
    return found[0]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="embedding_assets_tests.soak", description=__doc__)
    parser.add_argument("scenarios", nargs="*", type=_scenario, metavar="SCENARIO", help=f"of {_NAMES}; all")
    parser.add_argument("--minutes", type=int, default=10, help="of load, once it is steady")
    parser.add_argument("--workers", type=int, default=16, choices=range(1, 17), metavar="1-16")
    parser.add_argument("--lane", default=Lane.LIVE.value, choices=[lane.value for lane in Lane])
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
