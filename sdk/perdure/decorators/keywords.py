"""The options of the decorators as keywords, each declared and described once.

They are typed here for checkers and editors, and checked for existence at run time; what their
values may be is checked in `perdure.options`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict

from perdure.option_checks import OnExhausted, StateScope
from perdure.options import RateLimit, RetryPolicy

Classes = type[BaseException] | Sequence[type[BaseException]]


class Keywords(TypedDict, total=False):
    """Options of every decorator.

    name: in the journal and on the wire; the function's own name by default.
    service: that offers it; else the one it is added to, else `default`.
    version: shown beside it; the service's by default.
    max_retries: tries after the first.
    retry_delay: seconds before the first retry; doubles, up to 60 s.
    retry: a `RetryPolicy` or a number, instead of the two above and the two below.
    retry_on, non_retryable: exception classes that alone are, or that never are, retried.
    timeout: seconds for one try.
    reuse_on_retry: whether a later attempt takes over what succeeded (semantics, section 2, R2).
    raises: exception classes that callers elsewhere get back as they are.
    max_concurrency: executions of it that are under way at a time, in all workers together; one
        counts from its first start until it ends, is paused or blocked, sleeps included.
    rate_limit: a `RateLimit`: how many of its executions begin per second.
    """

    name: str | None
    service: str | None
    version: str
    max_retries: int | None
    retry_delay: float | None
    retry: RetryPolicy | int | None
    retry_on: Classes
    non_retryable: Classes
    timeout: float | None
    reuse_on_retry: bool
    raises: Classes
    max_concurrency: int | None
    rate_limit: RateLimit | None


class StepKeywords(Keywords, total=False):
    """Options of `@durable.step`.

    at_most_once: record the start first; a step that a crash interrupts then raises
        `StepInterrupted` instead of running again.
    """

    at_most_once: bool


class FunctionKeywords(Keywords, total=False):
    """Options of `@durable.function`.

    execution_timeout: seconds for all attempts together (`timeout` is for one, sleeps included).
    deterministic: False allows real time, randomness and set order; a journal mismatch then starts
        a new attempt instead of blocking.
    checkpoint_interval: state writes and progress reach the disk at the latest every so many
        results; results always do at once.
    max_concurrent_steps: steps and calls at a time, and branches of one `ctx.spawn`; None for no
        limit.
    state_scope: "execution", or "function" for one `ctx.state` of all executions of the function;
        each use of it is then a recorded call.
    on_exhausted: "fail", or "pause" to wait for an operator when the retries are used up.
    id_from: called with the input of a direct call, gives the execution's id, so that the same
        input attaches.
    """

    execution_timeout: float | None
    deterministic: bool
    checkpoint_interval: int
    max_concurrent_steps: int | None
    state_scope: StateScope
    on_exhausted: OnExhausted
    id_from: Callable[..., str] | None


class ObjectKeywords(Keywords, total=False):
    """Options of `@durable.object`: those of its methods, each of which is retried as a function.

    on_error: "keep" what a method that raises has changed (its retry goes on from there), or
        "rollback" to what it started with.
    execution_timeout, deterministic, checkpoint_interval, max_concurrent_steps, on_exhausted: as
        of `@durable.function`.
    """

    on_error: Literal["keep", "rollback"]
    execution_timeout: float | None
    deterministic: bool
    checkpoint_interval: int
    max_concurrent_steps: int | None
    on_exhausted: OnExhausted


class FlowKeywords(FunctionKeywords, total=False):
    """Options of `@durable.flow`; `max_retries`, `timeout` and their kin are for each step.

    step_retries: a clearer name of `max_retries`; 3 by default.
    step_timeout: a clearer name of `timeout`: seconds for each step or call.
    flow_retries: further attempts of the whole body, as a number or a policy; 0 by default.
    """

    step_retries: int | None
    step_timeout: float | None
    flow_retries: RetryPolicy | int


def check_keywords(where: str, known: type, given: Mapping[str, Any]) -> None:
    """Raise TypeError for an option that the decorator does not have."""
    names: list[str] = sorted(known.__annotations__)
    for name in given:
        if name not in names:
            from difflib import get_close_matches

            near = get_close_matches(name, names, n=1)
            advice = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names)}"
            raise TypeError(f"{where} has no option {name!r}; {advice}")
