"""The counters through the process's OpenTelemetry meter provider, if it has one.

Counters and gauges are read when the provider collects; histograms are tapped, once a commit,
attempt or timer. The instruments are made once a provider, and tell the sum of all engines that are
attached: OpenTelemetry cannot take an instrument back.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from perdure_coordinator.engine import Engine
from perdure_coordinator.engine.stats import Stats
from perdure_coordinator.metrics.table import (
    COUNTERS,
    EXECUTION_LABELS,
    EXECUTIONS,
    GAUGES,
    HISTOGRAMS,
)

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation

_PREFIX = "perdure."
_engines: list[Engine] = []
_known: tuple[Any, dict[str, Callable[[float], None]]] | None = None  # a provider and its taps


def attach(engine: Engine) -> None:
    """Have the engine's counters told until `detach`. Nothing happens without a provider."""
    if "opentelemetry.sdk.metrics" not in sys.modules:
        return
    from opentelemetry.metrics import get_meter_provider

    global _known
    provider = get_meter_provider()
    if _known is None or _known[0] is not provider:
        _known = (provider, _instruments(provider.get_meter("perdure")))
    _engines.append(engine)
    for name, histogram in engine.stats.histograms().items():
        histogram.tap = _known[1][name]


def detach(engine: Engine) -> None:
    """Stop it. Tolerates an engine that is not attached."""
    if engine in _engines:
        _engines.remove(engine)


def _instruments(meter: Meter) -> dict[str, Callable[[float], None]]:
    """Make them; returns what the histograms are told through."""
    for metric in COUNTERS:
        read = _reader(partial(_counter, metric.source))
        meter.create_observable_counter(_name(metric.source), [read], metric.unit, metric.text)
    for metric in GAUGES:
        read = _reader(partial(_gauge, metric.source))
        meter.create_observable_gauge(_name(metric.source), [read], metric.unit, metric.text)
    meter.create_observable_counter(_name(EXECUTIONS.source), [_executions], "", EXECUTIONS.text)
    bounds = Stats().histograms()
    taps: dict[str, Callable[[float], None]] = {}
    for metric in HISTOGRAMS:
        taps[metric.source] = meter.create_histogram(
            _name(metric.source),
            metric.unit,
            metric.text,
            explicit_bucket_boundaries_advisory=bounds[metric.source].bounds,
        ).record
    return taps


def _name(source: str) -> str:
    """The unit is a field of its own here: `commit_seconds` is `perdure.commit`."""
    return _PREFIX + source.removesuffix("_seconds")


def _counter(name: str, engine: Engine) -> float:
    return engine.stats.counters()[name]


def _gauge(name: str, engine: Engine) -> float:
    return engine.gauges()[name]


def _reader(value: Callable[[Engine], float]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def read(_: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        return [Observation(sum(value(engine) for engine in list(_engines)))]

    return read


def _executions(_: CallbackOptions) -> Iterable[Observation]:
    from opentelemetry.metrics import Observation

    total: Counter[tuple[str, str, str]] = Counter()
    for engine in _engines:
        total.update(dict(list(engine.stats.executions.items())))
    return [
        Observation(count, dict(zip(EXECUTION_LABELS, name, strict=True)))
        for name, count in total.items()
    ]
