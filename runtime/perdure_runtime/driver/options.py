"""What goes into a driver and what comes out of it, beside the messages of the protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from perdure_runtime.core.messages import Append, Finish, Mismatch
from perdure_runtime.core.outbox import Outcome
from perdure_runtime.core.payload import Failure, Payload


class TornDown(BaseException):
    """The private signal that unwinds a body which is given up: no `except Exception` sees it.

    Raised at the current await of every task, and by every context member from then on.
    """


class ContinueAsNew(BaseException):
    """Ends a body and has the next run begin with `input`: no `except Exception` sees it."""

    def __init__(self, input: Payload) -> None:
        super().__init__("the run continues as new")
        self.input = input


def as_it_is(outcome: Outcome) -> Outcome:
    """The outcome of a body that leaves nothing else to report."""
    return outcome


@dataclass(frozen=True, slots=True)
class DriverOptions:
    """How bodies of one function are driven.

    Attributes:
        encode_result: encodes what the body returns; if it raises, the attempt fails unretried.
        encode_failure: encodes what the body raises.
        max_concurrent_steps: steps and calls in progress at a time; None is no limit.
        checkpoint_interval: recorded results that state writes and progress may wait for.
        conclude: is given the outcome of a body that ended, and gives the one to report.
        deterministic: False leaves time and randomness real; a mismatch then fails the attempt.
        warn: told of un-awaited commands and lost exceptions; never during a replay.
    """

    encode_result: Callable[[Any], Payload]
    encode_failure: Callable[[BaseException], Failure]
    conclude: Callable[[Outcome], Outcome] = as_it_is
    max_concurrent_steps: int | None = None
    checkpoint_interval: int = 1
    deterministic: bool = True
    warn: Callable[[str], None] = lambda text: None


class StartStep(Struct, frozen=True):
    """A step to run now. `tries` counts the tries reported before; `spec` is the issuer's own;
    `checkpoints` is what earlier runs of it have recorded."""

    path: str
    name: str
    key: bytes
    digest: bytes
    tries: int
    spec: object
    checkpoints: dict[str, Payload] = {}

    @property
    def lineage(self) -> str:
        """Lineage of the task that issued it."""
        return self.path.rpartition(":")[0]


class Output(Struct):
    """What an `advance` asks its caller to do, in this order.

    Attributes:
        messages: to send to the coordinator.
        abandon: paths of running steps nobody awaits; stop them if possible, report them anyway.
        start: steps to start; after a reconnect one may have the path of an abandoned try.
        checkpoints: paths and numbers of steps' checkpoints that are in the journal now.
        more: deliveries remain; advance again soon.
    """

    messages: list[Append | Finish | Mismatch] = []
    abandon: list[str] = []
    start: list[StartStep] = []
    checkpoints: list[tuple[str, int]] = []
    more: bool = False
