"""Reads the Dockerfile, and carries out what its first stage does in folders of this machine instead of an image."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

PROJECT = Path(__file__).parents[2]
_PREFIX = "/opt/embedding-assets"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; `stage` counts from 0."""

    stage: int
    name: str
    value: str


def instructions() -> list[Instruction]:
    """Every instruction of the Dockerfile, lines that go on joined, comments left out."""
    text = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found: list[Instruction] = []
    stage = -1
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, value = line.partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, " ".join(value.split())))
    return found


def of(name: str, stage: int) -> list[str]:
    """The values of the instructions of this name in a stage."""
    return [one.value for one in instructions() if (one.name, one.stage) == (name, stage)]


def build(source: Path, prefix: Path) -> None:
    """The COPY and RUN instructions of the first stage, in order: into `source`, and with `prefix` for where the image has it."""
    for one in instructions():
        if one.stage == 0 and one.name == "COPY":
            *names, target = shlex.split(one.value)
            _copy(names, source / target)
        elif one.stage == 0 and one.name == "RUN":
            command = shlex.split(one.value.replace(_PREFIX, str(prefix)))
            subprocess.run(command, cwd=source, check=True, env={**os.environ, "PYTHON": sys.executable})


def kept_out(name: str) -> bool:
    """Whether .dockerignore keeps a file of the project from the build; the last line that fits decides."""
    lines = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    out = False
    for line in lines:
        pattern = line.removeprefix("!").removeprefix("**/")
        fits = fnmatch(name, pattern) or name.startswith(f"{pattern}/") or Path(name).name == pattern
        if line and not line.startswith("#") and fits:
            out = not line.startswith("!")
    return out


def _copy(names: Sequence[str], target: Path) -> None:
    for name in names:
        assert not kept_out(name), f".dockerignore keeps {name} from the build"
        given = PROJECT / name
        if given.is_dir():
            shutil.copytree(given, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(given, target)
