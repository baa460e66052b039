"""Whether a vector index fits where it must: its graph while it is built, its pages while it is searched; and how bloated it is."""

from collections.abc import Sequence
from dataclasses import dataclass

# Of a node beside its vector and its links, while pgvector builds in memory. Measured by where 8 MB no longer held the graph
# (m = 16): 4,824 vectors of 256 dimensions, 1,219 of 1,536, 3,036 halfvecs of 1,024; this is 1 to 3 % below each.
_NODE_BYTES, _LINK_BYTES = 128, 16
_BYTES_OF = {"vector": 4, "halfvec": 2}
_BLOATED = 0.2


@dataclass(frozen=True, slots=True)
class IndexHealth:
    """One index. `valid` is None where there is none; `recall` where it was not judged. Sizes in bytes."""

    rows: float
    table_bytes: float
    index_bytes: float
    valid: bool | None
    recall: float | None
    dead_part: float
    graph_bytes: float
    maintenance_memory: float
    shared_buffers: float
    cache: float

    @property
    def advice(self) -> Sequence[str]:
        """What to do, most urgent first; nothing when all is well."""
        found: list[str] = []
        if self.valid is False:
            found.append("the index is not valid: the next upkeep builds it anew")
        if self.index_bytes > self.cache:
            found.append(
                "the index is larger than effective_cache_size: search reads from disk; give the server more memory"
            )
        if self.graph_bytes > self.maintenance_memory:
            needed = f"{self.graph_bytes / 1e6:,.0f} MB"
            found.append(
                f"a build needs about {needed}, and is several times slower with a smaller maintenance_work_mem"
            )
        if self.dead_part > _BLOATED:
            found.append(
                f"{self.dead_part:.0%} of its rows are dead: VACUUM the table; REINDEX CONCURRENTLY where it stays large"
            )
        return found


def graph_bytes(rows: float, dimensions: int, storage: str, m: int) -> float:
    """What the graph takes in memory while it is built: twice as many links at the lowest layer, and a few above."""
    links = 2 * m + m / (m - 1)
    return rows * (_NODE_BYTES + dimensions * _BYTES_OF[storage] + links * _LINK_BYTES)
