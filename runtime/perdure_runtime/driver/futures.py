"""Futures of commands: ordinary futures of the deterministic loop that know their command.

A result is a `Payload` or a `Failure`, both as results: decoding and raising is the context
layer's work. Cancelling a future abandons its command.
"""

from __future__ import annotations

import asyncio
from typing import Any

from perdure_runtime.core.commands import Commands
from perdure_runtime.core.issued import Issued
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.loop import DeterministicLoop, Future


class CommandFuture(Future):
    """The outcome of an issued command, done when it is delivered."""

    def __init__(self, loop: DeterministicLoop, commands: Commands, issued: Issued) -> None:
        super().__init__(loop=loop)
        self.issued = issued
        self._commands = commands
        issued.waiter = self

    @property
    def path(self) -> str:
        """Address of the command, "lineage:ordinal"."""
        return self.issued.path

    @property
    def key(self) -> bytes:
        """Idempotency key of the command."""
        return self.issued.key

    @property
    def child_id(self) -> str:
        """Execution id of a call's child; "" for other commands."""
        return self.issued.child_id

    @property
    def reused(self) -> bool:
        """Whether a result of an earlier attempt stands in for the command."""
        return self.issued.reused

    def cancel(self, msg: Any = None) -> bool:
        """Abandon the command; awaiting tasks get `asyncio.CancelledError`."""
        if not super().cancel(msg):
            return False
        self._commands.abandon(self.issued)
        return True


class BranchFuture(CommandFuture):
    """The outcome of a branch, done when it is recorded.

    Cancelling it cancels the branch's task; the future is cancelled when that task has ended.
    """

    task: asyncio.Task[Payload | Failure] | None = None

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the branch, as `Task.cancel` does: the branch may clean up first."""
        if self.task is not None and not self.task.done():
            return self.task.cancel(msg)
        return super().cancel(msg)
