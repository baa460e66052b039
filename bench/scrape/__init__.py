"""How long a scrape takes while the queue is large and workers settle: `python -m bench.scrape`."""
