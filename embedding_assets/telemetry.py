"""Metrics, declared once: their names, and what their labels are.

Not here: where counters are kept (store/ledger), when they are counted (pipeline).
"""

# Promises that ended, counted once each. Labels: collection; result, `met` or `missed`.
FRESHNESS_PROMISES = "embedding_freshness_sla_documents_total"
