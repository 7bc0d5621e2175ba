"""Odd ids, odd payloads and bombs through the SDK: refused by a typed error, or given back."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any

import cloudpickle  # type: ignore[import-untyped]  # ships no type information
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import perdure
from perdure import Client, DurableContext, DurableObject, durable
from perdure.errors import (
    ExecutionFailed,
    InvalidArgumentError,
    LimitExceededError,
    NotFoundError,
    PerdureError,
    SerializationError,
)
from perdure_runtime.core.client import StartRequest
from perdure_runtime.core.entries import Target
from perdure_runtime.core.limits import MAX_PAYLOAD_BYTES
from perdure_runtime.core.payload import Payload
from perdure_runtime.serde import Serializers

service = durable.service("odd")
DEPTH = 100_000
NESTED = b"[" * DEPTH + b"]" * DEPTH
FIXED = (
    *("\0", "a\0", "\ud800", "x\udfff", "x" * 1_000_000, "'; DROP TABLE executions;--", "\n"),
    *('" OR "1"="1', "../../etc/passwd", "%", "_", "[a-z]*", "\u202e", "~", "~x", "e\u0301", "a b"),
    *("", " ", "\x7f", "\u0085", "\U0010ffff", "CON", "a/b", "a@b", "nul\\"),
)
ids = st.one_of(st.sampled_from(FIXED), st.text(max_size=300))
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
few = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@durable.function(service="odd", max_retries=0)
async def echo(ctx: DurableContext, value: Any) -> Any:
    """What it gets, by way of a step."""
    return await ctx.run(lambda_free, value)


def lambda_free(value: Any) -> Any:
    """The step."""
    return value


@durable.object(service="odd")
class Box(DurableObject):
    """Holds one thing."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.thing: Any = None

    async def put(self, thing: Any) -> Any:
        """And gives back its id with it."""
        self.thing = thing
        return [self.id, thing]


service.add_function(echo)
service.add_object(Box)


class Running:
    """An embedded runtime on a loop of its own, for properties that are no coroutines."""

    def __init__(self, path: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = Thread(target=self.loop.run_forever)
        self._thread.start()
        self._stack = perdure.embedded(path, services=[service], ambient=False)
        self.client: Client = self.do(self._stack.__aenter__()).client

    def do(self, coroutine: Any) -> Any:
        """Run it there."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return future.result(60)

    def close(self) -> None:
        """End all."""
        self.do(self._stack.__aexit__(None, None, None))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp("odd") / "perdure.db")
    yield made
    made.close()


def short(error: Exception) -> None:
    """Errors do not repeat a million characters."""
    assert len(str(error)) < 1_000


async def _started(client: Client, id: str) -> list[str]:
    handle = await client.start(echo, 1, id=id)
    found = [info.id async for info in client.list(id_prefix=id) if info.id == id]
    return [handle.id, (await handle.describe()).id, *found]


@few
@given(id=ids)
def test_an_id_is_refused_or_kept_as_it_is(running: Running, id: str) -> None:
    try:
        assert [id] * 3 == running.do(_started(running.client, id))
    except (InvalidArgumentError, LimitExceededError) as error:
        short(error)
        with pytest.raises((InvalidArgumentError, LimitExceededError, NotFoundError)):
            running.do(running.client.get(id).describe())


@few
@given(name=ids, value=anything)
def test_events_objects_labels_and_metadata(running: Running, name: str, value: Any) -> None:
    client = running.client

    async def put() -> Any:
        return await client.object(Box, name).put(value)

    async def labelled() -> list[str]:
        made = await client.start(echo, 1, id=uuid.uuid4().hex, labels={"odd": name})
        return [i.id async for i in client.list(labels={"odd": name}) if i.id == made.id] and [name]

    async def described() -> list[str]:
        made = await client.start(echo, 1, id=uuid.uuid4().hex, metadata={"odd": name})
        await made.result()
        return [name]

    for ask in (
        client.send_event(name, value, dedupe_id="1"),
        client.send_event("e", value, dedupe_id=name),
        labelled(),
        described(),
    ):
        try:
            assert running.do(ask) in (None, [name])
        except (InvalidArgumentError, LimitExceededError, SerializationError) as error:
            short(error)
    try:
        assert [name, value] == running.do(put())
    except (InvalidArgumentError, LimitExceededError, SerializationError) as error:
        short(error)


@few
@given(value=anything)
def test_a_payload_comes_back_as_it_was(running: Running, value: Any) -> None:
    async def through() -> Any:
        return await (await running.client.start(echo, value)).result()

    try:
        assert value == running.do(through())
    except SerializationError as error:
        short(error)
        with pytest.raises((SerializationError, UnicodeEncodeError)):
            Serializers().encode(value)


def request(data: bytes, encoding: str = "json") -> StartRequest:
    id = uuid.uuid4().hex
    body = Payload(data, encoding, digest=id.encode()[:16])
    return StartRequest("default", id, id, Target("odd", "echo"), body)


async def failure_of(client: Client, body: StartRequest) -> str:
    await client.transport.start(body)
    with pytest.raises(ExecutionFailed) as caught:
        await client.get(body.id).result(timeout=30)
    return str(caught.value)


def test_deep_nesting_fails_the_execution_and_nobody_else(running: Running) -> None:
    told = running.do(failure_of(running.client, request(NESTED)))
    assert "nest" in told or "recurs" in told.lower()
    nested: Any = []
    for _ in range(DEPTH):
        nested = [nested]
    with pytest.raises(SerializationError):
        running.do(running.client.start(echo, nested))
    for hint in (Any, list[Any], dict[str, Any]):
        with pytest.raises(SerializationError):
            Serializers().decode(Payload(NESTED), hint)
    while nested:  # else the interpreter frees it by recursion
        nested = nested[0]
    assert 1 == running.do(_once(running.client))


async def _once(client: Client) -> Any:
    return await (await client.start(echo, 1)).result()


class Bomb:
    """Leaves a trace where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_bomb_does_not_go_off(running: Running, tmp_path: Path) -> None:
    trace = tmp_path / "exploded"
    bomb = request(cloudpickle.dumps(Bomb(trace)), "cloudpickle")
    told = running.do(failure_of(running.client, bomb))
    assert "cloudpickle" in told

    async def look() -> None:
        await running.client.get(bomb.id).describe()
        assert [entry async for entry in running.client.get(bomb.id).history()]

    running.do(look())
    assert not trace.exists()
    cloudpickle.loads(bomb.input.data)
    assert trace.exists(), "it was a bomb"


def test_limits_name_size_and_limit(running: Running) -> None:
    client, large = running.client, "x" * (MAX_PAYLOAD_BYTES + 1)
    for ask in (
        client.start(echo, large),
        client.send_event("e", large),
        client.object(Box, "large").put(large),
    ):
        with pytest.raises(LimitExceededError, match=rf"\d{{7}}.*{MAX_PAYLOAD_BYTES}|MiB"):
            running.do(_awaited(ask))
    with pytest.raises(LimitExceededError, match=r"256.*255"):
        running.do(client.start(echo, 1, id="x" * 256))
    with pytest.raises(PerdureError, match=r"labels|32"):
        running.do(client.start(echo, 1, labels={str(n): "v" for n in range(33)}))
    with pytest.raises(PerdureError, match=r"4096"):
        running.do(client.cancel("x", "r" * 4_097))


async def _awaited(ask: Any) -> Any:
    return await ask


@durable.function(service="odd", max_retries=0)
async def tells(ctx: DurableContext, done: str, message: str) -> str:
    """Reports progress as it is told to."""
    ctx.progress(float(done), 10, message)
    await ctx.run(lambda_free, 1)
    return message[:0]


service.add_function(tells)


def test_progress_with_odd_texts_and_numbers(running: Running) -> None:
    client = running.client

    async def told(done: float, message: str) -> Any:
        handle = await client.start(tells, str(done), message)
        await handle.result(timeout=20)
        progress = (await handle.describe()).progress
        assert progress is not None
        return progress.done, progress.message

    assert (3.0, r"\ud800!") == running.do(told(3, "\\ud800!"))
    assert (1.0, "x" * 4_096) == running.do(told(1, "x" * 100_000))
    for number in (float("nan"), float("inf")):
        with pytest.raises(ExecutionFailed, match="finite number"):
            running.do(told(number, ""))


@durable.function(service="odd", max_retries=0)
async def tells_odd_text(ctx: DurableContext) -> int:
    """Text that has no UTF-8 form, wherever people read it."""
    ctx.progress(1, 2, "\ud800")
    with contextlib.suppress(ValueError):
        await ctx.run(raises_odd_text)
    return 7


def raises_odd_text() -> None:
    """The step."""
    raise ValueError("\udfff")


service.add_function(tells_odd_text)


def test_lone_surrogates_in_texts_stop_nothing(running: Running) -> None:
    async def told() -> Any:
        return await (await running.client.start(tells_odd_text)).result(timeout=20)

    assert 7 == running.do(told())


def test_a_start_that_cannot_be_recorded_leaves_nothing(running: Running) -> None:
    client = running.client

    async def refused(id: str) -> None:
        with pytest.raises(InvalidArgumentError, match="lone surrogate at position 1"):
            await client.start(echo, 1, id=id, metadata={"odd": "x\ud800"})
        with pytest.raises(NotFoundError):
            await client.get(id).describe()
        assert 1 == await (await client.start(echo, 1, id=id)).result()

    running.do(refused("refused"))
