"""Promises between parts: SQL and Python, migrations and the committed schema, imports."""
