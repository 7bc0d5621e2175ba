"""`ctx.promise`: a result that somebody outside gives by token (semantics, section 5)."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from perdure.context.failures import call_error
from perdure.context.future import DurableFuture, Outcome
from perdure.context.surroundings import Surroundings
from perdure.option_checks import optional_milliseconds
from perdure_runtime.core.errors import EventTimeoutError
from perdure_runtime.core.issued import PromiseRequest
from perdure_runtime.core.limits import check_name
from perdure_runtime.core.payload import Failure, FailureCode
from perdure_runtime.core.tokens import PromiseAddress, promise_token

if TYPE_CHECKING:
    from perdure_runtime.driver import CommandFuture

_WHERE: Final = "ctx.promise()"


class DurablePromise(DurableFuture[Any]):
    """A promise that others complete or fail. Made by `ctx.promise`.

    Awaiting gives the value, or raises what `fail_promise` was given. It may be awaited as often as
    one likes; a cancelled await (`asyncio.timeout`) leaves the promise as it is.

    Attributes:
        name: as given.
        token: for `complete_promise`, `fail_promise` and `heartbeat_promise`; safe in URLs, the
            same in every attempt of the run.
    """

    __slots__ = ("name", "token")

    def __init__(self, around: Surroundings, command: CommandFuture, name: str) -> None:
        super().__init__(command, _Decoder(around, command))
        body = around.body
        self.name = name
        self.token = promise_token(PromiseAddress(body.key, body.run, command.key))

    def __repr__(self) -> str:
        return f"<DurablePromise {self.name!r} {'settled' if self.done() else 'open'}>"

    def __await__(self) -> Generator[Any, Any, Any]:
        outcome = yield from asyncio.shield(self.command).__await__()
        return self._decode(outcome)

    def throw(self, *error: Any) -> Any:
        """Raise an error at the await of the current task."""
        owner = asyncio.current_task()
        if owner not in self._runs:
            self._runs[owner] = self.__await__()  # else the promise would be given up
        return super().throw(*error)


class _Decoder:
    """Makes a promise's value of its outcome."""

    __slots__ = ("_around", "_command")

    def __init__(self, around: Surroundings, command: CommandFuture) -> None:
        self._around = around
        self._command = command

    def __call__(self, outcome: Outcome) -> Any:
        serializers, path = self._around.serializers, self._command.path
        if not isinstance(outcome, Failure):
            return serializers.decode(outcome, what="value of the promise")
        if outcome.code is FailureCode.TIMEOUT:
            error = EventTimeoutError(outcome.message)
            error.add_note(f"at command {path}")
            raise error
        raise call_error(outcome, serializers, path, "")


def issue_promise(
    around: Surroundings,
    name: str,
    timeout: float | None,
    heartbeat_timeout: float | None,
    reuse_on_retry: bool | None,
) -> DurablePromise:
    """Make a promise. Raises `InvalidArgumentError` for an argument that is not allowed."""
    check_name("promise name", name)
    clocks = PromiseRequest(
        optional_milliseconds(_WHERE, "timeout", timeout),
        optional_milliseconds(_WHERE, "heartbeat_timeout", heartbeat_timeout),
    )
    reuse = around.options.reuse_on_retry if reuse_on_retry is None else reuse_on_retry
    return DurablePromise(around, around.body.promise(name, clocks, reuse=reuse), name)
