"""The order of steps, and who owns which transaction. Steps do not import each other; `ingest` puts them in a row.

No SQL, no provider's API and no Dagster here.
"""
