"""Metrics: declared once (catalogue), and written as Prometheus reads them (exposition).

Not here: where counters are kept (store/ledger), when they are counted (pipeline), who serves them (exporter).
"""
