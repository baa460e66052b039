"""The ways to cut a text, a module each. What they have in common, and which is chosen, is domain/chunking."""
