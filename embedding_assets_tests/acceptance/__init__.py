"""Tests of the whole: killed processes, real Dagster runs, the promises of the README."""
