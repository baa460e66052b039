"""Speaks Dagster and decides nothing: partitions, resources, assets, checks, jobs, schedules and sensors.

Bodies call one function of the engine and record what it returns. Not here: the code location (definitions).
"""
