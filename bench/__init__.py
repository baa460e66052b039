"""Benchmarks: each prints a ratio of two ways measured in turn in one run, because absolute times on shared machines are noise."""
