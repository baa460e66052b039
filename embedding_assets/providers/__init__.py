"""Other people's services and places: embedding providers and document sources, their errors translated to ours.

Not here: what is done with documents and vectors (pipeline) or where they are kept (store).
"""
