"""What the counters of an engine are called outside, and the two ways out: Prometheus and OTel.

Nothing here counts; `perdure_coordinator.engine.stats` does. Names never change once released.
"""

from perdure_coordinator.metrics.otel import attach, detach
from perdure_coordinator.metrics.prometheus import MetricsServer

__all__ = ["MetricsServer", "attach", "detach"]
