"""`/metrics`: the counters in Prometheus' text format, on a port and thread of their own.

The thread reads plain integers while the engine's loop changes them: a scrape neither waits for the
loop nor holds it up, and may see one counter a moment older than another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from perdure_coordinator.engine import Engine
from perdure_coordinator.metrics.table import (
    COUNTERS,
    EXECUTION_LABELS,
    EXECUTIONS,
    GAUGES,
    HISTOGRAMS,
)
from perdure_runtime.core.errors import InvalidArgumentError, PerdureError

if TYPE_CHECKING:
    from prometheus_client import Metric as Family

_PREFIX = "perdure_"


class EngineCollector:
    """A collector of `prometheus_client` over one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Family]:
        """Everything, as it is now."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        stats, gauges = self._engine.stats, self._engine.gauges()
        counters = stats.counters()
        for metric in COUNTERS:
            name = _PREFIX + metric.source
            yield CounterMetricFamily(name, metric.text, value=counters[metric.source])
        for metric in GAUGES:
            yield GaugeMetricFamily(_PREFIX + metric.source, metric.text, gauges[metric.source])
        histograms = stats.histograms()
        for metric in HISTOGRAMS:
            histogram = histograms[metric.source]
            bounds = [*(f"{bound:g}" for bound in histogram.bounds), "+Inf"]
            buckets = list(zip(bounds, map(float, histogram.cumulative()), strict=True))
            yield HistogramMetricFamily(
                _PREFIX + metric.source, metric.text, buckets, histogram.total
            )
        moved = CounterMetricFamily(
            _PREFIX + EXECUTIONS.source, EXECUTIONS.text, labels=EXECUTION_LABELS
        )
        for labels, count in list(stats.executions.items()):
            moved.add_metric(labels, count)
        yield moved


class MetricsServer:
    """Serves `/metrics` of one engine until it is closed.

    Args:
        port: 0 takes a free one.

    Raises:
        InvalidArgumentError: prometheus-client is not installed.
        PerdureError: the port is taken, or the address is not of this machine.
    """

    def __init__(self, engine: Engine, host: str, port: int) -> None:
        try:
            from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
        except ModuleNotFoundError:
            raise InvalidArgumentError(
                "--metrics-port needs prometheus-client: pip install 'perdure[server]'"
            ) from None
        registry = CollectorRegistry()
        registry.register(EngineCollector(engine))
        ProcessCollector(registry=registry)
        try:
            self._server, self._thread = start_http_server(port, host.strip("[]"), registry)
        except OSError as error:
            raise PerdureError(
                f"cannot serve metrics on {host}:{port}: {error.strerror}; choose another port"
            ) from None
        self.port = int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
