"""A table under load, tracked: what it costs the application, and whether anything is lost, held up or deadlocked.

`python -m bench.tracking` (`make bench-tracking`) has pgbench update a table at a steady rate, with and without our triggers,
beside a worker that is at work or stopped, and then disturbs everybody (disturbing) while it watches who waits for whom (watching).
"""
