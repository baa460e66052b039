"""Detached programs: started, found again, stopped with all their children; never somebody else's process."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from embedding_assets.cli import processes
from embedding_assets.cli.processes import Program

# A parent and its child, both of which would run for a minute.
_PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)', sys.argv[1]])"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    argv = [sys.executable, "-c", _PARENT, str(tmp_path / "mark")]
    return Program("sleeper", argv, tmp_path / "sleeper.pid", tmp_path / "sleeper.log")


def test_a_started_program_is_found_by_its_pid_file_and_stopped_with_its_child(program: Program) -> None:
    started = processes.start(program, os.environ, "a note")
    assert processes.running(program.pid_file) == started
    while not _children(started.pid):
        time.sleep(0.05)
    assert processes.stop([program.pid_file]) == ["sleeper"]
    assert processes.running(program.pid_file) is None
    assert not program.pid_file.exists()
    assert _group(started.pid) == []


def test_a_pid_that_belongs_to_another_program_now_is_left_alone(program: Program) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        program.pid_file.write_text(json.dumps({"pid": other.pid, "argv": program.argv, "note": ""}))
        assert processes.running(program.pid_file) is None
        assert processes.stop([program.pid_file]) == []
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "x", "argv": [], "note": ""}'])
def test_a_broken_pid_file_means_that_nothing_runs(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.pid").write_text(text)
    assert processes.running(tmp_path / "broken.pid") is None
    assert processes.stop([tmp_path / "broken.pid", tmp_path / "absent.pid"]) == []


def _children(pid: int) -> list[str]:
    return [one for one in _group(pid) if one != str(pid)]


def _group(leader: int) -> list[str]:
    shown = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, check=True, text=True).stdout
    rows = [line.split() for line in shown.splitlines()]
    return [pid for pid, group, state in rows if group == str(leader) and not state.startswith("Z")]
