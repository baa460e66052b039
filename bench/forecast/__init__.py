"""The forecast against other lines on synthetic histories: `make bench-forecast`."""
