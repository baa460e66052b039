"""Decisions on paper: documents, chunks, packing, work, failures.

What lives here needs only its arguments: no I/O, no clock, no randomness. Everybody may import it; it imports
nothing of ours outside this room.
"""
