"""The claim as PostgreSQL plans and runs it: the nodes of its plan, and the buffers it touches.

Not here: how a queue gets into the state it is looked at in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import LiteralString

from embedding_assets.store.database import Tx
from embedding_assets.store.queries import load_queries
from embedding_assets_tests.support.queue import ALL_SHARDS

CLAIM = load_queries("work_queue")["claim"]


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan that was run: its nodes from the top, each with its depth."""

    nodes: tuple[tuple[int, dict[str, Any]], ...]

    @property
    def rows(self) -> int:
        """Rows the statement returned."""
        return self.nodes[0][1]["Actual Rows"]

    @property
    def buffers(self) -> int:
        """Shared buffers it touched, counted at every touch."""
        top = self.nodes[0][1]
        return top["Shared Hit Blocks"] + top["Shared Read Blocks"]

    @property
    def buffers_a_row(self) -> float:
        """The same for each row returned."""
        return self.buffers / max(self.rows, 1)

    def of_types(self, *types: str) -> list[dict[str, Any]]:
        """The nodes of these types."""
        return [node for _, node in self.nodes if node["Node Type"] in types]


def claim_values(collection_id: int, *, items: int = 200, **other: object) -> dict[str, object]:
    """What a claim of so many live items over all shards is given; `other` overrides."""
    values: dict[str, object] = {
        "collection_id": collection_id,
        "shards": list(ALL_SHARDS),
        "of_each": [-(-items // len(ALL_SHARDS))] * len(ALL_SHARDS),
        "starts": list[None](),
        "lane": "live",
        "items": items,
        "owner": "worker",
        "lease_seconds": 60.0,
        "suspects": False,
        "leave": list[str](),
        "waited_seconds": 0.0,
        "now": None,
    }
    return {**values, **other}


def nodes_of(plan: dict[str, Any], depth: int = 0) -> list[tuple[int, dict[str, Any]]]:
    """Its nodes from the top, each with its depth."""
    return [(depth, plan), *(node for child in plan.get("Plans", []) for node in nodes_of(child, depth + 1))]


async def run_and_explain(tx: Tx, query: LiteralString, values: Mapping[str, object]) -> Plan:
    """Run it in this transaction; the plan with what each node did."""
    cursor = await tx.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query, values)
    row = await cursor.fetchone()
    assert row is not None
    return Plan(tuple(nodes_of(row[0][0]["Plan"])))
