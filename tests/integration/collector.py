"""A collector of spans: what the real exporters of our processes send, over OTLP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages

_METHOD = "opentelemetry.proto.collector.trace.v1.TraceService"


class CollectedSpan(NamedTuple):
    """A span as it was exported. Ids are hex, "" for no parent."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str


class Collector:
    """What has been exported to `endpoint` so far, in order of arrival."""

    def __init__(self) -> None:
        self.spans: list[CollectedSpan] = []
        self.endpoint = ""
        self._news = asyncio.Event()

    def named(self, prefix: str) -> list[CollectedSpan]:
        """Those whose name begins so."""
        return [span for span in self.spans if span.name.startswith(prefix)]

    async def until(self, prefix: str, count: int) -> None:
        """Wait until so many spans of this name have been exported."""
        async with asyncio.timeout(30):
            while len(self.named(prefix)) < count:
                self._news.clear()
                await self._news.wait()

    def environment(self) -> dict[str, str]:
        """What makes a process of ours export to this."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint,
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "20",
        }

    async def export(self, request: Any, context: object) -> Any:
        """The one method of the service."""
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans += [
                    CollectedSpan(
                        span.name,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                    )
                    for span in scope.spans
                ]
        self._news.set()
        return messages.ExportTraceServiceResponse()


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector that listens on loopback."""
    collector, server = Collector(), grpc.aio.server()
    export = grpc.unary_unary_rpc_method_handler(
        collector.export,
        request_deserializer=messages.ExportTraceServiceRequest.FromString,
        response_serializer=messages.ExportTraceServiceResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_METHOD, {"Export": export}),)
    )
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(0.5)
