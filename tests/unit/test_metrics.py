"""One source of counters, read by Prometheus and OpenTelemetry alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import opentelemetry.metrics._internal
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from perdure_coordinator.engine import Engine
from perdure_coordinator.engine.stats import MAX_NAMES, Histogram, Stats
from perdure_coordinator.metrics import MetricsServer, attach, detach
from perdure_coordinator.metrics.table import COUNTERS, GAUGES, HISTOGRAMS
from perdure_coordinator.security import check_address
from perdure_runtime.core.client import ControlOperation
from perdure_runtime.core.entries import StartOptions, Target
from perdure_runtime.core.errors import InvalidArgumentError, PerdureError
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Release
from perdure_runtime.memory import MemoryDisk, MemoryStore
from tests.unit.engine_world import FLOW, control, request, running
from tests.unit.scripted_worker import ScriptedWorker


def test_a_histogram_counts_by_bucket() -> None:
    histogram = Histogram((1, 10))
    for value in (0.5, 1, 5, 10, 11):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 1]
    assert histogram.cumulative() == [2, 4, 5]
    assert histogram.total == 27.5
    assert (histogram.quantile(0.4), histogram.quantile(0.5), histogram.quantile(1)) == (1, 10, 10)
    assert Histogram((1,)).quantile(0.99) == 0


def test_names_from_clients_are_bounded() -> None:
    stats = Stats()
    for n in range(MAX_NAMES + 10):
        stats.moved(Target("s", f"m{n}"), Status.QUEUED)
    assert len(stats.executions) == MAX_NAMES + 1
    assert stats.executions["", "other", "queued"] == 10


async def test_every_metric_has_a_source() -> None:
    async with running(MemoryStore(MemoryDisk())) as engine:
        assert {metric.source for metric in COUNTERS} == {*engine.stats.counters()} - {
            "peak_pending_bytes"
        }
        assert {metric.source for metric in GAUGES} == {*engine.gauges()}
        assert {metric.source for metric in HISTOGRAMS} == {*engine.stats.histograms()}


async def some_work(engine: Engine) -> None:
    """Two starts, one of them cancelled."""
    await engine.start(request("a"))
    await engine.start(request("b"))
    await control(engine, ControlOperation.CANCEL, "a")


async def test_prometheus_reads_what_the_engine_counts() -> None:
    async with running(MemoryStore(MemoryDisk())) as engine:
        await some_work(engine)
        server = MetricsServer(engine, "127.0.0.1", 0)
        try:
            with urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as answer:
                text = answer.read().decode()
        finally:
            server.close()
        commits = engine.stats.commits
    lines = text.splitlines()
    assert f"perdure_commits_total {commits}.0" in lines
    assert "perdure_requests_total 2.0" in lines
    assert "perdure_queued_executions 1.0" in lines
    assert f"perdure_commit_seconds_count {commits}.0" in lines
    assert f'perdure_commit_entries_bucket{{le="+Inf"}} {commits}.0' in lines
    for status, count in (("queued", 2), ("cancelled", 1)):
        labels = f'method="charge",service="orders",status="{status}"'
        assert f"perdure_executions_total{{{labels}}} {count}.0" in lines
    assert "# TYPE perdure_commit_seconds histogram" in lines
    assert "process_resident_memory_bytes" in text


async def test_a_port_that_is_taken_is_told() -> None:
    async with running(MemoryStore(MemoryDisk())) as engine:
        server = MetricsServer(engine, "127.0.0.1", 0)
        try:
            with pytest.raises(PerdureError, match=r"cannot serve metrics on 127.0.0.1:\d+: "):
                MetricsServer(engine, "127.0.0.1", server.port)
        finally:
            server.close()


def test_metrics_are_for_loopback_unless_told_otherwise() -> None:
    with pytest.raises(InvalidArgumentError):
        check_address("0.0.0.0", insecure=False)


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    """What the process's meter provider collects."""
    internal = opentelemetry.metrics._internal
    before = internal._METER_PROVIDER
    reader = InMemoryMetricReader()
    internal._METER_PROVIDER = MeterProvider([reader], shutdown_on_exit=False)
    yield reader
    internal._METER_PROVIDER = before


def points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    """Data points by name of the metric."""
    data = reader.get_metrics_data()
    assert data is not None
    return {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


async def test_opentelemetry_reads_what_the_engine_counts(reader: InMemoryMetricReader) -> None:
    async with running(MemoryStore(MemoryDisk())) as engine:
        attach(engine)
        try:
            before = sum(engine.stats.commit_entries.counts)
            await some_work(engine)
            found = points(reader)
        finally:
            detach(engine)
        (commits,) = found["perdure.commits"]
        assert commits.value == engine.stats.commits
        (entries,) = found["perdure.commit_entries"]
        histogram = engine.stats.commit_entries
        assert entries.count == sum(histogram.counts) - before
        assert tuple(entries.explicit_bounds) == histogram.bounds
        statuses = {
            point.attributes["status"]: point.value for point in found["perdure.executions"]
        }
        assert statuses == {"queued": 2, "cancelled": 1}
    assert "perdure.commit" in found


async def test_several_engines_are_told_as_one_sum(reader: InMemoryMetricReader) -> None:
    async with (
        running(MemoryStore(MemoryDisk())) as one,
        running(MemoryStore(MemoryDisk())) as other,
    ):
        attach(one)
        attach(other)
        await some_work(one)
        await some_work(other)
        assert points(reader)["perdure.requests"][0].value == 4
        detach(one)
        assert points(reader)["perdure.requests"][0].value == 2
        detach(other)
        detach(other)


async def test_activations_waits_and_reconnects_are_counted() -> None:
    async with running(MemoryStore(MemoryDisk()), resume_ms=60_000) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request("a"))
        activation = await worker.activation()
        stats = engine.stats
        assert (stats.activations, stats.replays, stats.sessions_opened) == (1, 0, 1)
        assert sum(stats.schedule_to_start_seconds.counts) == 1
        assert (engine.gauges()["slots"], engine.gauges()["slots_used"]) == (10, 1)
        worker.say(Release(activation.epoch))
        await worker.activation()
        assert (stats.activations, stats.replays, stats.replayed_entries) == (2, 1, 2)
        assert sum(stats.schedule_to_start_seconds.counts) == 1, "a replay starts nothing"
        ScriptedWorker(engine).hello(FLOW)
        assert (stats.sessions_opened, stats.reconnects) == (2, 1)


async def test_a_timer_says_how_late_it_is() -> None:
    async with running(MemoryStore(MemoryDisk())) as engine:
        options = StartOptions(execution_timeout_ms=1)
        await engine.start(request("a", options=options))
        await engine.wait("default", "a")
        lateness = engine.stats.timer_lateness_seconds
        assert sum(lateness.counts) == engine.stats.timers_fired == 1
        assert lateness.total >= 0
