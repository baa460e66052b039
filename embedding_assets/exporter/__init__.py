"""The exporter: one long-lived process that shows the ledger to Prometheus. Workers are short-lived and are never scraped.

Not here: what it shows (telemetry, pipeline/scraping), how it is started (cli).
"""
