"""Histories that an alert fires on, and near misses on which it stays silent: for every alert at least one of each."""

from embedding_assets_tests.ops.rule_cases import burns, database, provider, quality, queue, running

CASES = (*queue.CASES, *provider.CASES, *quality.CASES, *database.CASES, *running.CASES, *burns.CASES)
