"""Tests: mirrors embedding_assets; `simulator` is the provider they talk to. Not here: benchmarks (bench)."""
