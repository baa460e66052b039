"""Imported once by the process all others are forked from: LiteLLM alone costs 3 s of CPU and more, for each of sixteen.

Not here: anything that starts a thread or opens a connection, which a fork would not take along.
"""

from embedding_assets.pipeline import ingest
from embedding_assets.providers.litellm_loading import load_litellm
from embedding_assets_tests.support import benches

__all__ = ["benches", "ingest"]

load_litellm()
