"""Grafana's dashboards: what they show (overview, pipeline, failures, capacity), how a panel is drawn, how they are laid out.

Needs Python 3.11 or newer, as Grafana's SDK does. Not here: Prometheus's rules (dashboards_source/rules).
"""
