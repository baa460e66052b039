"""Databases of other releases and from backups: what a new release finds, and what is left of a restored one."""
