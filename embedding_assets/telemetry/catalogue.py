"""Every metric by its name: rules, dashboards and the exporter look here, and a test holds them to it.

What somebody who writes a rule or a panel must know:

- Label `job` is a kind of job (`embed_documents`), with `collection` beside it. Prometheus has a label `job` of its own: scrape
  with `honor_labels: true`, or ours arrives as `exported_job`.
- The success objective is `embedding_changes_total`: bad is `result="failure"`. It leaves out unchanged and deleted documents and
  backfill, and counts a change once; `embedding_documents_processed_total` does neither.
- `embedding_document_attempts_total` has two outcomes more than `embedding_documents_processed_total`: `released` and `refused`.
- The latency objective is `embedding_document_duration_seconds` with `waiting="included"`, `le="30.0"`; the freshness objective
  `embedding_freshness_sla_documents_total`.
- `embedding_rate_limit_used_per_minute` is this pipeline's use, held against `embedding_rate_limit_ceiling_per_minute`; the whole
  limit is `embedding_rate_limit_per_minute`, everybody's use `embedding_rate_limit_used_by_all_per_minute`.
- The resource of what was throttled or rejected is also `provider` (it answered 429), `budget` or `restart` (of the database).
- Counters and histograms with legal labels are there at 0 from the first scrape. Gauges say in their help when they are absent.
"""

from collections.abc import Mapping
from types import MappingProxyType

from embedding_assets.telemetry.durable import DURABLE
from embedding_assets.telemetry.gauges import GAUGES
from embedding_assets.telemetry.metric import Metric

CATALOGUE: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in (*DURABLE, *GAUGES)})
