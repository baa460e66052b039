"""Embedding Assets: keeps a pgvector index fresh from a source of documents, and says so before users notice when it does not.

The rooms, from the top; imports point down only:

- `definitions`, `cli`: the entry points (Dagster's, the terminal's)
- `defs`: assets, checks, schedules, sensors: speaks Dagster, decides nothing
- `exporter`: the process that shows the metrics to Prometheus
- `runtime`: settings in; opened database, sources, embedder out
- `settings`, `collections_file` and its tables, `local`: what an operator configures; the embedded PostgreSQL
- `pipeline`: the order of steps; owns transactions
- `store`: the only SQL
- `providers`: sources, embedding models and whom to tell, their errors translated to ours
- `telemetry`: every metric, declared once
- `domain`: decisions on paper: no I/O, no clock, no randomness
"""
