"""A secret that goes through everything is told by nothing.

No log, no span, no metric, nothing that processes write, and no answer to another namespace.
"""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import re
import secrets
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure import DurableContext, DurableObject, ExecutionFailed, ctx, durable
from perdure.errors import PerdureError
from tests.integration.processes import PythonProcess
from tests.integration.test_security import LISTENS, token_file
from tests.integration.workers import WORKS, killed_at_the_end, worker_environment
from tests.sdk.tracing import traced

LOUD = "tests.integration.apps.loud"
SECRET = "canary-" + secrets.token_hex(16)
service = durable.service("canary")


class Refused(Exception):
    """Says the secret."""


def step(value: str) -> str:
    """Returns it."""
    ctx.log.info("a step runs")
    return f"{value} again"


def failing(value: str) -> None:
    """Raises it, with a cause and a note that say it too."""
    error = Refused(f"refused {value}")
    error.add_note(f"note {value}")
    raise error from ValueError(value)


@durable.object(service="canary")
class Safe(DurableObject):
    """Keeps it."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.held = ""

    async def keep(self, value: str) -> str:
        """The state has it."""
        self.held = value
        return value


@service.handler
async def handle(value: str) -> str:
    """Passes it on."""
    return value


@durable.function(service="canary", max_retries=1, retry_delay=0.001)
async def carries(ctx: DurableContext, value: str) -> str:
    """Everything has the secret in it."""
    await ctx.state.set("secret", value)
    ctx.emit(value)
    await ctx.run(step, value)
    await ctx.call("canary", "handle", value)
    await (await ctx.get_object(Safe, "safe")).keep(value)
    event = await ctx.wait_for_event("event")
    try:
        await ctx.run(failing, value)
    except Exception as error:
        if ctx.attempt == 1:
            raise
        return f"{event} {error}"
    return "not reached"


@durable.function(service="canary", max_retries=0)
async def fails(ctx: DurableContext, value: str) -> None:
    """Ends with it in its error."""
    await ctx.run(failing, value)


@durable.function(service="canary")
async def waits(ctx: DurableContext, value: str) -> None:
    """Is cancelled for a reason that has it; its hook fails with it too."""

    async def undone() -> None:
        raise Refused(f"undone {value}")

    ctx.on_cancel(undone)
    ctx.emit("hooked")
    await ctx.wait_for_event(value)


@durable.function(service="canary")
async def loses(ctx: DurableContext, value: str) -> None:
    """Has a task that fails with it, and that nobody awaits."""

    async def lost() -> None:
        raise Refused(f"lost {value}")

    task = asyncio.ensure_future(lost())
    await ctx.sleep(0.001)
    del task
    gc.collect()


service.add_function(waits)
service.add_function(loses)
service.add_function(carries)
service.add_function(fails)
service.add_object(Safe)


async def cancelled(client: perdure.Client) -> None:
    """An execution that is cancelled for a reason that has the secret."""
    handle = await client.start("canary", "waits", SECRET, id="waits")
    async for _ in handle.stream():
        break  # its hook is there
    await handle.cancel(f"because of {SECRET}")
    with pytest.raises(perdure.ExecutionCancelledError, match=SECRET):
        await handle.result()


async def test_spans_say_what_failures_say_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_TRACE_MESSAGES", "1")
    with traced() as told:
        async with perdure.embedded(tmp_path / "perdure.db", services=[service]) as runtime:
            failed = await runtime.client.start(fails, SECRET, id="fails")
            with pytest.raises(ExecutionFailed):
                await failed.result()
            await cancelled(runtime.client)
    step, attempt = told.one("step failing"), told.one("attempt canary/fails")
    for span in (step, attempt):
        assert f"Refused: refused {SECRET}" == span.status.description
    (event,) = attempt.events
    assert event.attributes is not None
    assert f"refused {SECRET}" == event.attributes["exception.message"]
    (asked, *_) = told.one("attempt canary/waits").events
    assert asked.attributes is not None
    assert f"because of {SECRET}" == asked.attributes["perdure.reason"]


@pytest.mark.parametrize("max_cached", [100, 0])
async def test_a_secret_is_in_no_log_span_or_metric(tmp_path: Path, max_cached: int) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with traced() as told:
            async with perdure.embedded(
                tmp_path / "perdure.db", services=[service], max_cached=max_cached
            ) as runtime:
                client = runtime.client
                handle = await client.start(carries, SECRET, id="carries")
                await client.send_event("event", SECRET)
                assert SECRET in await handle.result()
                failed = await client.start(fails, SECRET, id="fails")
                with pytest.raises(ExecutionFailed, match=f"refused {SECRET}"):
                    await failed.result()
                await cancelled(client)
                await (await client.start(loses, SECRET, id="loses")).result()
                stats = await client.transport.stats()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert told.spans()
    spans = [f"{span.to_json()}" for span in told.spans()]
    assert not [span for span in spans if SECRET in span]
    statuses = {span.status.description for span in told.spans()}
    assert {"Refused", "ApplicationError"} & statuses, statuses  # what failed is told, by its type
    assert SECRET not in written.getvalue()
    assert "was never retrieved: Refused at " in written.getvalue()
    if max_cached:  # else the end of the hook is first seen in a replay, where ctx.log is silent
        assert "on_cancel undone failed: Refused" in written.getvalue()
    assert SECRET not in repr(stats)


@pytest.mark.parametrize("messages", ["", "1"])
async def test_a_secret_is_in_nothing_that_processes_write(tmp_path: Path, messages: str) -> None:
    """Server and worker at debug level, with spans, with a token that is the secret too."""
    tokens = token_file(tmp_path, SECRET)
    environment = worker_environment(tmp_path / "witness") | {
        "PERDURE_TOKEN": SECRET,
        "PERDURE_TRACE_MESSAGES": messages,
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "console",
        "GRPC_VERBOSITY": "debug",
    }
    place = ("--db", str(tmp_path / "perdure.db"), "--port", "0", "--metrics-port", "0")
    process = PythonProcess(
        LOUD,
        ("server", *place, "--token-file", str(tokens)),
        ready=LISTENS,
        environment=environment,
    )
    async with killed_at_the_end(process):
        await process.start()
        assert process.match is not None
        endpoint = f"127.0.0.1:{process.match[2]}"
        worker = PythonProcess(
            LOUD,
            ("worker", "tests.integration.test_canary:service", "--endpoint", endpoint),
            ready=WORKS,
            environment=environment,
        )
        async with killed_at_the_end(worker):
            await worker.start()
            await _use(endpoint)
            metrics = await asyncio.to_thread(_metrics, process.told())
            await worker.stop()
        await process.stop()
    assert "perdure_executions" in metrics
    assert SECRET not in metrics
    assert "DEBUG:" in process.told()
    assert "INFO:perdure.execution:a step runs" in worker.told()
    assert '"name": "attempt canary/fails"' in process.told()
    assert '"name": "step failing"' in worker.told()
    for each in (process, worker):
        lines = [line for line in each.told().splitlines() if SECRET in line]
        spans = ('"description"', '"exception.message"', '"perdure.reason"')
        assert bool(lines) == bool(messages)  # with the option in spans, and only there
        assert not [line for line in lines if not line.strip().startswith(spans)]


async def _use(endpoint: str) -> None:
    connect = perdure.connect
    async with (
        connect(endpoint, token=SECRET, ambient=False) as client,
        connect(endpoint, token=SECRET, namespace="other", ambient=False) as other,
    ):
        handle = await client.start("canary", "carries", SECRET, id="carries")
        await client.send_event("event", SECRET)
        assert SECRET in await handle.result(timeout=30)
        failed = await client.start("canary", "fails", SECRET, id="fails")
        with pytest.raises(ExecutionFailed, match=SECRET):
            await failed.result(timeout=30)
        await cancelled(client)
        texts = [await _told(ask) for ask in _asked(other, handle.id)]
        assert not [text for text in texts if SECRET in text]


def _metrics(said: str) -> str:
    """What /metrics answers; the server has said where."""
    address = re.search(r"http://\S+/metrics", said)
    assert address is not None, said
    with urllib.request.urlopen(address[0], timeout=10) as answer:
        return str(answer.read().decode())


def _asked(client: perdure.Client, id: str) -> list[Any]:
    handle = client.get(id)
    return [handle.describe(), handle.read_state(), client.retry(id), client.cancel(id)]


async def _told(ask: Any) -> str:
    try:
        async with asyncio.timeout(10):
            return str(await ask)
    except PerdureError as error:
        return str(error)
