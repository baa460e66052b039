"""Looks at what is stored for a collection, and what became of it lately. Reads only, in short transactions.

Not here: what is good enough (domain/health), which check belongs to which asset (defs/checks).
"""

import random
from collections.abc import Collection, Mapping
from dataclasses import asdict

from embedding_assets.domain.health import (
    EXAMPLES,
    Finding,
    judge_count,
    judge_failure_rate,
    judge_index,
    judge_recall,
)
from embedding_assets.pipeline.indexing import INDEX_AT_LEAST_ROWS, is_loading
from embedding_assets.store import collections, index_quality, inspection, vectors
from embedding_assets.store.database import Database
from embedding_assets.store.vectors import VectorTable

# The name of each check, by the count of `StoredProblems` that it is about.
_BY_PROBLEM = {
    "not_finite_or_zero": "vectors_are_finite_and_not_zero",
    "wrong_dimension": "vectors_have_the_models_dimension",
    "inputs_without_vector": "every_input_has_its_vector",
    "orphaned_chunks": "no_orphaned_chunks",
    "overdue": "nothing_is_overdue",
    "escalated": "nothing_is_escalated",
}
_SAMPLED, _NEIGHBOURS = 20, 10


async def examine(
    db: Database, collection: str, wanted: Collection[str], *, at_least_rows: int = INDEX_AT_LEAST_ROWS
) -> Mapping[str, Finding]:
    """A finding for each check that is wanted, by its name; none while nothing was ever stored."""
    async with db.transaction() as tx:
        applied = await collections.find(tx, collection)
        table = VectorTable(applied.id, applied.model_id, applied.model) if applied else None
        if table is None or not (await vectors.table_facts(tx, table)).exists:
            return {}
    findings: dict[str, Finding] = {}
    if any(name in wanted for name in _BY_PROBLEM.values()):
        findings |= await _problems(db, table)
    if "few_documents_fail" in wanted:
        findings["few_documents_fail"] = await _failure_rate(db, table)
    if "index_is_valid" in wanted:
        findings["index_is_valid"] = await _index(db, table, at_least_rows)
    if "index_finds_what_exact_search_finds" in wanted:
        findings["index_finds_what_exact_search_finds"] = await _recall(db, table, at_least_rows)
    return findings


async def _problems(db: Database, table: VectorTable) -> dict[str, Finding]:
    async with db.transaction() as tx:
        problems = asdict(await inspection.stored_problems(tx, table))
        examples = await inspection.problem_examples(tx, table, documents=EXAMPLES) if any(problems.values()) else {}
    return {name: judge_count(problems[problem], examples.get(problem, ())) for problem, name in _BY_PROBLEM.items()}


async def _failure_rate(db: Database, table: VectorTable) -> Finding:
    async with db.transaction() as tx:
        lately = await inspection.processed_lately(tx, table, examples=EXAMPLES)
    return judge_failure_rate(lately.failed, lately.processed, lately.examples)


async def _index(db: Database, table: VectorTable, at_least_rows: int) -> Finding:
    async with db.transaction() as tx:
        facts = await vectors.table_facts(tx, table)
        # The planner's estimate is of the last ANALYZE; without an index it decides, and is counted.
        rows = facts.rows if facts.index_valid else await vectors.count_vectors(tx, table)
        return judge_index(
            rows=rows,
            at_least_rows=at_least_rows,
            valid=facts.index_valid,
            being_built=await index_quality.is_being_built(tx, table),
            loading=await is_loading(tx, table, rows),
            name=table.index_name,
        )


async def _recall(db: Database, table: VectorTable, at_least_rows: int) -> Finding:
    async with db.transaction() as tx:
        valid = (await vectors.table_facts(tx, table)).index_valid
        rows = await vectors.count_vectors(tx, table)
    if rows < at_least_rows:
        return Finding(True, {"rows": rows}, state=f"not judged: search is exact below {at_least_rows:,} vectors")
    if not valid:
        return Finding(True, {"rows": rows}, state="not judged: there is no valid index, and search is exact")
    async with db.transaction() as tx:
        # The upper quarter has fewer than so many after it only where there are few at all.
        start = random.randbytes(1)[0] * 3 // 4
        chosen = await index_quality.sampled_vectors(tx, table, count=_SAMPLED, start=bytes([start]))
    found = neighbours = 0
    missed: list[str] = []
    for sampled in chosen:
        async with db.transaction() as tx:
            by_index, exact = await index_quality.found_by_index(tx, table, sampled, k=_NEIGHBOURS)
        found, neighbours = found + by_index, neighbours + exact
        if by_index < exact:
            missed.append(sampled.document_key)
    return judge_recall(found, neighbours, missed)
