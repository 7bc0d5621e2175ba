"""Short words for the bodies of driver tests."""

from __future__ import annotations

from typing import Any

from perdure_runtime.core.entries import (
    Target,
)
from perdure_runtime.core.payload import Payload
from perdure_runtime.driver import Body, CommandFuture
from perdure_runtime.testing.history import digest, payload, value_of
from tests.replay.world import World


async def got(future: CommandFuture) -> Any:
    """The value of a command that succeeds."""
    outcome = await future
    assert isinstance(outcome, Payload), outcome
    return value_of(outcome)


def step(body: Body, name: str, input: Any = None) -> CommandFuture:
    """Issue a step."""
    return body.step(name, digest(input), name)


def call(body: Body, name: str) -> CommandFuture:
    """Issue a call."""
    return body.call(Target("tests", name), payload(None))


def result_of(world: World) -> Any:
    """The result of an execution that completes."""
    finish = world.run()
    assert finish.failure is None, finish.failure
    assert finish.result is not None
    return value_of(finish.result)
