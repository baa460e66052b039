"""What `dashboards/` is generated from: Prometheus rules, Alertmanager's configuration, Grafana's dashboards.

Run by `make dashboards`, never installed. Not here: what the metrics are (embedding_assets/telemetry), what is promised
(embedding_assets/domain/slo), what to do about an alert (docs/runbook.md).
"""
