"""Tests of embedding_assets.providers, over real HTTP and real files."""
