"""Shards as Dagster partitions, and the tags of a run over a range of them."""

from collections.abc import Sequence

import dagster as dg

from embedding_assets.domain.documents import SHARDS, shard_name

SHARD_PARTITIONS = dg.StaticPartitionsDefinition([shard_name(shard) for shard in range(SHARDS)])

_RANGE_START = "dagster/asset_partition_range_start"
_RANGE_END = "dagster/asset_partition_range_end"


def range_tags(first: int = 0, last: int = SHARDS - 1) -> dict[str, str]:
    """Tags of one run over these shards, both included."""
    return {_RANGE_START: shard_name(first), _RANGE_END: shard_name(last)}


def shards_of(partition_keys: Sequence[str]) -> tuple[int, ...]:
    """The shards that a run's partitions are."""
    return tuple(int(key) for key in partition_keys)
