"""Sources of documents: folders, Python's own documentation, and what others register.

`registry.build_source` makes one from a collection's configuration; each implements `domain.ports.Source`.
Not here: deciding what changed, chunking, or anything of the queue (pipeline).
"""
