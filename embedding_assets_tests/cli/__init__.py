"""Tests of embedding_assets.cli: the program as a person calls it, on a real database."""
