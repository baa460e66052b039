"""The alerts, a module for each place things go wrong in: queue, provider, database, quality, running, budgets."""
