"""The work queue at a million references: how fast it fills, is claimed and drains, and how large it stays.

Unlike its neighbours it compares no two ways: its numbers are of this machine, its plans and its sizes hold anywhere.
"""
