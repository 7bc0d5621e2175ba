"""OpenTelemetry for the `server` and `worker` commands, as its own `OTEL_*` variables ask for it.

Nothing is set up unless one of them names an exporter or an endpoint, or when something else (say
`opentelemetry-instrument`) has set providers up. Applications that embed Perdure set up their own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, Final

from perdure_runtime.core.errors import InvalidArgumentError

TRACES: Final = "TRACES"
METRICS: Final = "METRICS"
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_INSTALL: Final = "pip install 'perdure[otel]'"


def wanted_exporters(signal: str, environment: Mapping[str, str]) -> list[str]:
    """Names of the exporters that the environment asks for, for `TRACES` or `METRICS`."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    named = environment.get(f"OTEL_{signal}_EXPORTER", "").strip()
    if not named:
        own = f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"
        named = "otlp" if environment.get(_ENDPOINT) or environment.get(own) else "none"
    names = [name.strip() for name in named.split(",")]
    return [_with_protocol(name, signal, environment) for name in names if name not in ("", "none")]


def set_up_telemetry(service_name: str) -> None:
    """Set the process's providers up as the environment asks for.

    Args:
        service_name: used where `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` name none.

    Raises:
        InvalidArgumentError: an exporter is asked for that is not there.
    """
    traces = wanted_exporters(TRACES, os.environ)
    metrics = wanted_exporters(METRICS, os.environ)
    if not (traces or metrics):
        return
    try:
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    except ModuleNotFoundError:
        raise InvalidArgumentError(
            f"OTEL_* asks for telemetry, and opentelemetry-sdk is not installed: {_INSTALL}"
        ) from None
    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: service_name}))
    if traces:
        _set_up_traces(traces, resource)
    if metrics:
        _set_up_metrics(metrics, resource)


def _set_up_traces(names: list[str], resource: Any) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import get_tracer_provider, set_tracer_provider

    if isinstance(get_tracer_provider(), TracerProvider):
        return
    provider = TracerProvider(resource=resource)
    for name in names:
        exporter = _component("opentelemetry_traces_exporter", name)()
        provider.add_span_processor(BatchSpanProcessor(exporter))
    set_tracer_provider(provider)


def _set_up_metrics(names: list[str], resource: Any) -> None:
    from opentelemetry.metrics import get_meter_provider, set_meter_provider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader

    if isinstance(get_meter_provider(), MeterProvider):
        return
    readers: list[MetricReader] = []
    for name in names:
        made = _component("opentelemetry_metrics_exporter", name)()
        readers.append(
            made if isinstance(made, MetricReader) else PeriodicExportingMetricReader(made)
        )
    set_meter_provider(MeterProvider(metric_readers=readers, resource=resource))


def _with_protocol(name: str, signal: str, environment: Mapping[str, str]) -> str:
    if name != "otlp":
        return name
    protocol = environment.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or environment.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"
    )
    return "otlp_proto_http" if protocol.strip().startswith("http") else "otlp_proto_grpc"


def _component(group: str, name: str) -> Any:
    for found in entry_points(group=group, name=name):
        return found.load()
    known = ", ".join(sorted(entry_points(group=group).names)) or "none"
    raise InvalidArgumentError(
        f"OTEL_* asks for the exporter {name!r}, which is not installed (known: {known}); "
        f"{_INSTALL}"
    )
