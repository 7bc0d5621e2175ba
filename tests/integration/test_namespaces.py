"""Namespaces that leak nothing: a token that is bound to some reaches no other, by no method."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc import aio

import perdure
from perdure.errors import (
    AuthenticationError,
    NotFoundError,
    PerdureError,
)
from perdure_coordinator.access import check_access
from perdure_coordinator.security import read_tokens
from perdure_proto.v1 import admin_pb2, client_pb2
from perdure_runtime.core.client import ListRequest
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.messages import Activate, Cached, Evict, Finish, Hello, Refused, Welcome
from perdure_runtime.core.payload import Payload
from perdure_runtime.wire.v1.rpc import WORKER_SESSION
from perdure_runtime.wire.v1.version import protocol_metadata
from tests.integration.processes import PythonProcess
from tests.integration.raw_worker import HANDLER, RawWorker, finish
from tests.integration.test_security import LISTENS, server
from tests.integration.workers import killed_at_the_end

pytestmark = pytest.mark.processes

OURS, THEIRS, BOTH, ALL = (secrets.token_hex(16) for _ in range(4))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[str]:
    """A server with tokens for `ours`, for `theirs`, for both, and for all namespaces."""
    path = tmp_path / "tokens"
    path.write_text(f"{OURS} ours\n{THEIRS} theirs\n{BOTH}  ours theirs\n{ALL}\n")
    path.chmod(0o600)
    async with server(tmp_path, "--token-file", path) as endpoint:
        yield endpoint


UNREADABLE = {
    "Control",
    "Schedule",
    "UpdateTasks",
}  # with nothing but a namespace: refused before it is looked at


def metadata(token: str) -> tuple[tuple[str, str | bytes], ...]:
    return (("authorization", f"Bearer {token}"), protocol_metadata())


def naming(descriptor: Descriptor, namespace: str, depth: int = 3) -> Message:
    """A message with this namespace wherever it has a field of that name."""
    message: Message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if field.name == "namespace":
            setattr(message, field.name, namespace)
        elif (
            field.message_type is not None
            and depth
            and not field.message_type.GetOptions().map_entry
        ):
            inner = naming(field.message_type, namespace, depth - 1)
            if inner.ByteSize() and field.containing_oneof is None:
                target = getattr(message, field.name)
                (target.add() if field.is_repeated else target).CopyFrom(inner)
    return message


def unary_methods() -> list[Any]:
    services = [
        service
        for file in (client_pb2, admin_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
    ]
    return [m for service in services for m in service.methods if not m.client_streaming]


async def code_of(place: str, method: Any, data: bytes, token: str) -> str:
    path = f"/{method.containing_service.full_name}/{method.name}"
    async with aio.insecure_channel(place) as channel:
        call: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
        answer = call(path, None, None)(data, metadata=metadata(token), timeout=10)
        try:
            await (answer.read() if method.server_streaming else answer)
            code = await answer.code() if not method.server_streaming else grpc.StatusCode.OK
        except grpc.RpcError as error:
            code = error.code()
        answer.cancel()
    name: str = code.name
    return name


@pytest.mark.parametrize("method", unary_methods(), ids=lambda method: method.name)
async def test_no_method_names_a_namespace_that_its_token_is_not_for(
    place: str, method: Any
) -> None:
    theirs = naming(method.input_type, "theirs").SerializeToString()
    expected = "INVALID_ARGUMENT" if method.name in UNREADABLE else "UNAUTHENTICATED"
    assert expected == await code_of(place, method, theirs, OURS)
    for token in (THEIRS, ALL):
        refused = "UNAUTHENTICATED" == await code_of(place, method, theirs, token)
        assert refused == (method.name == "Stats" and token == THEIRS), "Stats is about all"


def everything(client: perdure.Client, id: str) -> dict[str, Callable[[], Awaitable[Any]]]:
    """What a client can ask about an execution by its id."""
    handle = client.get(id)

    async def history() -> list[Any]:
        return [entry async for entry in handle.history()]

    async def stream() -> list[Any]:
        return [value async for value in handle.stream()]

    return {
        "result": lambda: handle.result(timeout=5),
        "describe": handle.describe,
        "read_state": handle.read_state,
        "history": history,
        "stream": stream,
        "cancel": lambda: client.cancel(id),
        "pause": lambda: client.pause(id),
        "resume": lambda: client.resume(id),
        "retry": lambda: client.retry(id),
        "delete": lambda: client.delete(id),
        "fork": lambda: client.fork(id, at="0:1", new_id="mine"),
        "schedule": client.get_schedule(id).describe,
    }


async def told(ask: Callable[[], Awaitable[Any]]) -> tuple[type[BaseException], str]:
    with pytest.raises(PerdureError) as caught:
        await ask()
    return type(caught.value), str(caught.value)


async def test_ids_of_another_namespace_are_ids_of_nothing(place: str) -> None:
    connect = perdure.connect
    async with (
        connect(place, namespace="theirs", token=THEIRS, ambient=False) as theirs,
        connect(place, namespace="ours", token=OURS, ambient=False) as ours,
        connect(place, namespace="theirs", token=OURS, ambient=False) as trespassing,
    ):
        await theirs.start("secret-service", "secret-method", "secret-input", id="secret-id")
        await theirs.schedule("secret-service", "secret-method", 1, id="secret-id", every=1e6)
        known, unknown = everything(ours, "secret-id"), everything(ours, "another-")
        for name, ask in known.items():
            kind, text = await told(ask)
            other_kind, other_text = await told(unknown[name])
            assert (kind, text.replace("secret-id", "another-")) == (other_kind, other_text), name
            assert kind is NotFoundError, name
        assert [] == [each async for each in ours.list()]
        assert [] == [*await ours.schedules(), *await ours.workers(), *await ours.services()]
        for name, ask in everything(trespassing, "secret-id").items():
            assert (await told(ask))[0] is AuthenticationError, name
        for ask in (
            lambda: trespassing.start("s", "m", 1),
            lambda: trespassing.send_event("e", 1),
            trespassing.schedules,
            trespassing.workers,
        ):
            assert (await told(ask))[0] is AuthenticationError
        assert "queued" == (await theirs.get("secret-id").describe()).status
        await ours.send_event("secret-event", 1)  # of a mailbox of its own


async def test_a_token_for_two_namespaces_and_one_for_all(place: str) -> None:
    for token in (BOTH, ALL):
        for namespace in ("ours", "theirs"):
            async with perdure.connect(
                place, namespace=namespace, token=token, ambient=False
            ) as client:
                await client.start("s", "m", 1, id=token)
    async with perdure.connect(place, namespace="third", token=BOTH, ambient=False) as client:
        with pytest.raises(AuthenticationError, match="not for namespace 'third'"):
            await client.start("s", "m", 1)


async def raw_worker(channel: aio.Channel, token: str, hello: Hello) -> RawWorker:
    worker = RawWorker(channel)
    worker._stream = channel.stream_stream(WORKER_SESSION, None, None)(
        None, metadata=metadata(token)
    )
    await worker.say(hello)
    return worker


async def test_workers_serve_and_keep_only_what_is_of_their_namespace(place: str) -> None:
    async with (
        perdure.connect(place, namespace="theirs", token=THEIRS, ambient=False) as theirs,
        aio.insecure_channel(place) as channel,
    ):
        trespasser = await raw_worker(channel, OURS, Hello("w", "theirs", (HANDLER,)))
        assert "not for namespace 'theirs'" in (await trespasser.hear(Refused)).message

        theirs_worker = await raw_worker(channel, THEIRS, Hello("w", "theirs", (HANDLER,)))
        await theirs_worker.hear(Welcome)
        handle = await theirs.start("greeter", "hello", "secret", id="secret")
        activation = await theirs_worker.hear(Activate)

        # Of the same name, in another namespace: it takes nothing from the other one.
        ours_worker = await raw_worker(channel, OURS, Hello("w", "ours", (HANDLER,)))
        await ours_worker.hear(Welcome)
        await ours_worker.say(Finish(activation.epoch, 0, 1, Payload(b'"forged"')))
        assert "stale epoch" == (await ours_worker.hear(Evict)).reason

        key = activation.key
        cached = Cached(key, activation.run, activation.attempt, activation.epoch, 1, 0)
        thief = await raw_worker(channel, OURS, Hello("w2", "ours", (HANDLER,), cached=(cached,)))
        assert "not for namespace 'theirs'" in (await thief.hear(Refused)).message
        unbound = await raw_worker(channel, ALL, Hello("w", "ours", (HANDLER,), cached=(cached,)))
        assert "of another namespace" in (await unbound.hear(Refused)).message

        await theirs_worker.say(finish(activation))
        assert "done" == await asyncio.wait_for(handle.result(), 20)


async def test_a_bound_token_is_in_no_message(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"{OURS} ours\n{OURS} theirs\n")
    process = PythonProcess(
        "perdure",
        ("server", "--db", str(tmp_path / "p.db"), "--port", "0", "--token-file", str(path)),
        ready=LISTENS,
    )
    async with killed_at_the_end(process):
        with pytest.raises(AssertionError, match="holds a token twice"):
            await process.start()
        assert OURS not in process.told()


def test_namespaces_of_tokens(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"{OURS} one two\n{ALL}\n")
    path.chmod(0o600)
    bound, free = read_tokens(path)
    assert (frozenset({"one", "two"}), None) == (bound.namespaces, free.namespaces)
    assert OURS not in repr(bound)
    path.write_text(f"{OURS} {'n' * 256}\n")
    with pytest.raises(PerdureError, match="256 characters"):
        read_tokens(path)


def test_requests_of_unknown_namespaces_are_refused_to_bound_tokens() -> None:
    allowed = frozenset({"a"})
    check_access(ExecutionKey("a", "x"), allowed)
    check_access([ListRequest("a")], allowed)
    for request in (None, object(), [], ExecutionKey("b", "x"), "b", [ListRequest("b")]):
        check_access(request, None)
        with pytest.raises(AuthenticationError):
            check_access(request, allowed)
