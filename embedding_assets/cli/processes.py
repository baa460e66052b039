"""Programs that outlive the command that started them: started detached, found again by pid file, stopped for good.

A pid alone proves nothing, because pids are reused: a process is ours when its command line is the one recorded. Not here:
which programs (serving).
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

# A run in progress settles or gives back what it holds first.
_STOP_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Program:
    """A detached program; `pid_file` is where it is recorded, `log` takes its output."""

    name: str
    argv: Sequence[str]
    pid_file: Path
    log: Path


@dataclass(frozen=True, slots=True)
class Recorded:
    """A pid file as read; `note` is what the starter wanted remembered."""

    pid: int
    argv: tuple[str, ...]
    note: str


def pid_file(home: Path, name: str) -> Path:
    """Where a program of this home is recorded."""
    return home.resolve() / f"{name}.pid"


def start(program: Program, environment: Mapping[str, str], note: str) -> Recorded:
    """Start it in a session of its own, so that neither Ctrl-C nor the end of this terminal reaches it."""
    with program.log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own argv
            program.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
    # For a moment after exec the system shows no command line, by which it is known.
    while process.poll() is None and not _command_line(process.pid):
        time.sleep(0.01)
    recorded = Recorded(process.pid, tuple(program.argv), note)
    program.pid_file.write_text(json.dumps({"pid": process.pid, "argv": recorded.argv, "note": note}), encoding="utf-8")
    return recorded


def running(pid_file: Path) -> Recorded | None:
    """The recorded program while it runs, else None; a file of a program that is gone is removed."""
    try:
        values = cast("dict[str, object]", json.loads(pid_file.read_text(encoding="utf-8")))
        recorded = Recorded(int(str(values["pid"])), tuple(cast("list[str]", values["argv"])), str(values["note"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if is_ours(recorded):
        return recorded
    pid_file.unlink(missing_ok=True)
    return None


def is_ours(recorded: Recorded) -> bool:
    """Whether the process of that pid runs the recorded program; a zombie has no command line."""
    line = _command_line(recorded.pid)
    return all(part in line for part in recorded.argv[1:]) and Path(recorded.argv[0]).name in line


def stop(pid_files: Sequence[Path]) -> list[str]:
    """End the recorded programs and everything in their sessions, at the same time; names of those that ran."""
    found = {pid_file: recorded for pid_file in pid_files if (recorded := running(pid_file)) is not None}
    # The whole session at once: a code server would wait for its run to finish, and a run told to stop gives its claims
    # back and says so in Dagster.
    for recorded in found.values():
        _signal_group(recorded.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    for pid_file, recorded in found.items():
        while _group_lives(recorded.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        _signal_group(recorded.pid, signal.SIGKILL)
        pid_file.unlink(missing_ok=True)
    return [pid_file.stem for pid_file in found]


def _command_line(pid: int) -> str:
    """The process's arguments, separated by blanks; empty when there is none, or it is a zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        if Path("/proc/self/cmdline").exists():
            return ""
    # No /proc: macOS.
    shown = subprocess.run(  # noqa: S603 - our own argv
        ["ps", "-ww", "-o", "command=", "-p", str(pid)],  # noqa: S607 - where ps is differs between systems
        capture_output=True,
        check=False,
        text=True,
    )
    return shown.stdout


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)


def _group_lives(leader: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(leader, os.WNOHANG)
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True
