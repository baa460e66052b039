"""Tests of the store on a real PostgreSQL; there is no in-memory twin."""
