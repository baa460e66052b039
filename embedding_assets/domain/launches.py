"""What is launched in Dagster from outside, how a run stands, and which run of a key counts. Pure.

Not here: asking Dagster (providers), the order of the questions (pipeline/launching).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from embedding_assets.domain.failures import EmbeddingAssetsError

KEY_TAG = "embedding_assets/launch_key"
_RANGE_START = "dagster/asset_partition_range_start"
_RANGE_END = "dagster/asset_partition_range_end"
_PARENT = "dagster/parent_run_id"
_WILL_RETRY = "dagster/will_retry"
_RETRIED_AS = "dagster/auto_retry_run_id"


class LaunchRefused(EmbeddingAssetsError):
    """Nothing was started, and asking again changes nothing: unknown job or partition, run config that does not fit."""


@dataclass(frozen=True, slots=True)
class LaunchOrder:
    """What to launch. Two orders of one `key` are the same run, however often and from wherever they are given."""

    job: str
    key: str
    partitions: tuple[str, str] | None = None
    run_config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class LaunchedRun:
    """A run as Dagster shows it."""

    run_id: str
    status: str
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def is_over(self) -> bool:
        """Whether it will never change again, but for being retried as another run."""
        return self.status in {"SUCCESS", "FAILURE", "CANCELED"}

    @property
    def succeeded(self) -> bool:
        """Whether everything was done."""
        return self.status == "SUCCESS"

    @property
    def canceled(self) -> bool:
        """Whether somebody stopped it."""
        return self.status == "CANCELED"

    @property
    def is_stillborn(self) -> bool:
        """Whether it was written but never handed to anybody, as when the webserver died in between."""
        return self.status == "NOT_STARTED"

    @property
    def retried_as(self) -> str | None:
        """The run by which Dagster retries this one."""
        return self.tags.get(_RETRIED_AS)

    @property
    def may_be_retried(self) -> bool:
        """Whether it failed and Dagster did not say yet if it retries it: it says so a moment after the failure, or never."""
        return self.status == "FAILURE" and _WILL_RETRY not in self.tags

    @property
    def will_be_retried(self) -> bool:
        """Whether Dagster said that it will retry this failed run, and has not yet."""
        return self.status == "FAILURE" and self.tags.get(_WILL_RETRY) == "true" and self.retried_as is None


def the_run(runs: Sequence[LaunchedRun]) -> LaunchedRun | None:
    """Of a key's runs, the newest first as Dagster lists them, the one that counts: the oldest that nobody canceled.

    Everybody who looks after launching agrees on it. Retries by Dagster belong to the run that they retry.
    """
    return next((run for run in reversed(runs) if not run.canceled and _PARENT not in run.tags), None)


def superfluous(runs: Sequence[LaunchedRun]) -> list[LaunchedRun]:
    """Runs of the key that two launches at the same moment started beside the one that counts."""
    first = the_run(runs)
    return [run for run in runs if first and run != first and not run.is_over and _PARENT not in run.tags]


def checked_partitions(known: Sequence[str], order: LaunchOrder) -> tuple[str, str] | None:
    """The first and the last partition to run, all of them where none is named; None for a job without partitions.

    Dagster takes any name, and its run fails later.

    Raises:
        LaunchRefused: the job has no such partitions.
    """
    if not known:
        if order.partitions:
            raise LaunchRefused(f"job {order.job} has no partitions: leave --partitions out")
        return None
    first, last = order.partitions or (known[0], known[-1])
    for name in (first, last):
        if name not in known:
            raise LaunchRefused(f"job {order.job} has no partition {name!r}; allowed: {known[0]} to {known[-1]}")
    if known.index(first) > known.index(last):
        raise LaunchRefused(f"the range {first}-{last} runs backwards: name the lower partition first")
    return first, last


def run_tags(order: LaunchOrder, partitions: tuple[str, str] | None) -> dict[str, str]:
    """The tags the run carries."""
    spread = {_RANGE_START: partitions[0], _RANGE_END: partitions[1]} if partitions else {}
    return {**order.tags, **spread, KEY_TAG: order.key}
