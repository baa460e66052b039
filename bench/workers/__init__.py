"""How many documents an hour so many worker processes publish: `make bench-workers`."""
