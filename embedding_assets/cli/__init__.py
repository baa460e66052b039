"""The terminal: one small module per subject, Typer in front. Decides nothing, holds no SQL, imports no Dagster.

Heavy imports happen inside commands, so that `--help` and a mistyped option answer at once.
"""
