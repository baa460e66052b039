"""Tests of the pipeline on a real database, real files and a real HTTP provider."""
