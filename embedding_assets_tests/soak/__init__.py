"""The soak: many worker processes under one shared limit, beside a neighbour who draws on it too, for minutes.

`python -m embedding_assets_tests.soak` runs the scenarios (scenarios) in processes of their own (scene), reads minute
by minute what reached the provider (measuring) and judges it (verdict). Not here: the rules of the limit, which are the
product's; tests that every run of the suite makes.
"""
