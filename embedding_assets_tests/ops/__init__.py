"""What operators rely on: rules, alerts, runbook, and real Prometheus and Alertmanager (marked `ops`)."""
