"""Which client direct calls use outside of executions."""

import pytest

from perdure.client import ambient
from perdure.client.ambient import ambient_client, made_ambient
from perdure.client.client import Client
from perdure.client.transport import Transport
from perdure.errors import CoordinatorUnavailableError, InvalidArgumentError


class NoTransport:
    """A client that is never asked anything needs no transport."""


def unused_client() -> Client:
    transport: Transport = NoTransport()  # type: ignore[assignment] # never called
    return Client(transport)


async def test_the_open_block_is_the_ambient_client() -> None:
    client = unused_client()
    with made_ambient(client):
        assert client is await ambient_client()


async def test_a_second_block_must_not_be_ambient() -> None:
    first, second = unused_client(), unused_client()
    with made_ambient(first):
        with (
            pytest.raises(InvalidArgumentError, match="pass ambient=False"),
            made_ambient(second),
        ):
            pass
        with made_ambient(second, wanted=False):
            assert first is await ambient_client()


async def test_without_a_block_an_endpoint_and_the_embedded_runtime_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PERDURE_ENDPOINT", raising=False)
    monkeypatch.setenv("PERDURE_EMBEDDED", "0")
    for _ in range(2):  # a failure does not stick
        with pytest.raises(CoordinatorUnavailableError, match="PERDURE_EMBEDDED=0 forbids"):
            await ambient_client()
    assert not ambient._open
