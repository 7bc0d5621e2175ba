"""Handlers by name: what `define` knows, as services that any worker of this process offers.

Each name has a service of its own with one handler, made once; defining a name anew replaces what
the handler calls. Nothing here talks to a coordinator.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final

from perdure.actions.action import METHOD, service_of
from perdure.actions.context import ActionContext
from perdure.context.ambient import current_step
from perdure.decorators.shape import is_coroutine_function
from perdure.definition import Definition, Kind
from perdure.option_checks import optional_milliseconds
from perdure.options import Options, RateLimit, RetryPolicy, checked_limits, retry_policy
from perdure.registry import REGISTRY
from perdure.service import Service, service
from perdure_runtime.core.errors import NotInExecutionError
from perdure_runtime.core.limits import check_name

Handler = Callable[[Any, ActionContext], Any]
DEFAULT_RETRY: Final = RetryPolicy(max_retries=2, delay=1.0, factor=2.0, max_delay=60.0)
"""Three attempts in all; the coordinator adds jitter."""

_RUNNER: Final = "run_action"  # one code, whatever it calls: it may be made anew

_HANDLERS: Final[dict[str, Handler]] = {}


class Defined:
    """What `define` gives: the definition has taken place; `await` is welcome, and does nothing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield

    def __repr__(self) -> str:
        return f"<action {self.name!r}>"


def define(
    name: str,
    handler: Handler,
    *,
    retry: RetryPolicy | int | None = None,
    timeout: float | None = None,
    max_concurrency: int | None = None,
    rate_limit: RateLimit | None = None,
) -> Defined:
    """See `Actions.define`."""
    where = f"define({name!r})"
    most, rate = checked_limits(where, max_concurrency, rate_limit)
    options = Options(
        retry=retry_policy(where, retry) or DEFAULT_RETRY,
        attempt_timeout_ms=optional_milliseconds(where, "timeout", timeout),
        max_concurrency=most,
        rate_limit=rate,
    )
    if not callable(handler):
        raise TypeError(f"{where}: the handler is called with (input, context), {handler!r} is not")
    home = service(service_of(check_name("action", name)))
    known = home.methods.get(METHOD)
    is_async = is_coroutine_function(handler)
    before = _HANDLERS.get(name)
    _HANDLERS[name] = handler
    same = before is not None and is_async == is_coroutine_function(before)
    if known is None or known.options != options or not same:
        run = _runner(name) if is_async else _runner_in_thread(name)
        home.add_definition(Definition(Kind.HANDLER, METHOD, run, options))
    return Defined(name)


def is_defined(name: str) -> bool:
    """Whether this process has defined an action of this name."""
    return name in _HANDLERS


def services() -> list[Service]:
    """The services of all actions that this process has defined, for `Worker.register_service`."""
    names = {service_of(name) for name in _HANDLERS}
    return [each for name, each in REGISTRY.services.items() if name in names]


def _runner(name: str) -> Callable[[Any], Awaitable[Any]]:
    async def run_action(input: Any = None) -> Any:
        return await _HANDLERS[name](input, _context())

    run_action.__qualname__ = _RUNNER
    return run_action


def _runner_in_thread(name: str) -> Callable[[Any], Any]:
    def run_action(input: Any = None) -> Any:
        return _HANDLERS[name](input, _context())

    run_action.__qualname__ = _RUNNER
    return run_action


def _context() -> ActionContext:
    step = current_step()
    if step is None:
        raise NotInExecutionError("the handler of an action runs in a worker; use actions.start()")
    return ActionContext(step)
