"""What tests of spans share: a provider with an exporter in memory, and sites in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import opentelemetry.trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.util._once import Once

import perdure
from perdure import durable
from perdure.service import Service
from perdure_coordinator.engine import Engine
from perdure_coordinator.server import Server
from perdure_coordinator.store import open_store
from tests.sdk.backends import Backend, opened


class Told:
    """The spans that were told so far."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def spans(self, prefix: str = "") -> list[ReadableSpan]:
        """Those whose name begins so, in the order in which they ended."""
        return [
            span for span in self._exporter.get_finished_spans() if span.name.startswith(prefix)
        ]

    def one(self, name: str) -> ReadableSpan:
        """The only span of this name."""
        (span,) = [span for span in self.spans() if span.name == name]
        return span

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(span.name for span in self.spans())

    def ids(self) -> list[tuple[str, int]]:
        """Name and span id of each, sorted."""
        return sorted((span.name, span_id(span)) for span in self.spans())


def span_id(span: ReadableSpan) -> int:
    """The span's own id."""
    assert span.context is not None
    return int(span.context.span_id)


def trace_id(span: ReadableSpan) -> int:
    """The id of its trace."""
    assert span.context is not None
    return int(span.context.trace_id)


def parent_id(span: ReadableSpan) -> int:
    """The id of its parent, 0 for none."""
    return span.parent.span_id if span.parent else 0


@contextmanager
def traced(sampler: Sampler | None = None) -> Iterator[Told]:
    """This process has a tracer provider for the duration of the block."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before = opentelemetry.trace._TRACER_PROVIDER
    opentelemetry.trace._TRACER_PROVIDER = provider
    try:
        yield Told(exporter)
    finally:
        opentelemetry.trace._TRACER_PROVIDER = before
        opentelemetry.trace._TRACER_PROVIDER_SET_ONCE = Once()


@asynccontextmanager
async def site(
    kind: str, directory: Path, services: Sequence[Service], max_cached: int
) -> AsyncIterator[Backend]:
    """A backend whose coordinator is in this process: `embedded`, or `grpc` with a real server."""
    if kind == "embedded":
        async with opened(None, directory, services, max_cached) as backend:
            yield backend
        return
    engine = await Engine.open(await open_store(str(directory / "perdure.db")))
    server = Server(engine, 1.0)
    endpoint = f"http://127.0.0.1:{server.bind('127.0.0.1', 0)}"
    await server.start()
    try:
        async with perdure.connect(endpoint) as client:
            (service,) = services
            worker = durable.get_worker(
                service.name, service.version, endpoint, max_cached=max_cached
            )
            await worker.start()
            try:
                yield Backend(client)
            finally:
                await worker.stop(1.0)
    finally:
        await server.stop(1.0)
