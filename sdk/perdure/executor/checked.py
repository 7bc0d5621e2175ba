"""`executor.input_schema(...)` and `executor.validate_input(...)`: tasks whose input is checked."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Generic, Protocol, TypedDict, TypeVar, Unpack, overload

from perdure.executor.making import Workshop
from perdure.executor.task import DurableTask, ParentRun
from perdure.executor.task_context import TaskContext
from perdure.executor.task_options import (
    Milliseconds,
    ParentTaskOptions,
    RetryOptions,
    TaskOptions,
)
from perdure.executor.validation import Check

I = TypeVar("I")  # noqa: E741 - input of run
O = TypeVar("O")  # noqa: E741 - output
V = TypeVar("V")  # what is enqueued
V_contra = TypeVar("V_contra", contravariant=True)
I_co = TypeVar("I_co", covariant=True)

Children = ParentRun[Any] | Mapping[str, Any]
ParentReturn = Coroutine[Any, Any, Children] | Children
Finalizer = TaskOptions | ParentTaskOptions | Mapping[str, Any]


class TaskKeywords(TypedDict, total=False):
    """Options of `task`; see `TaskOptions`."""

    timeout_ms: Milliseconds | None
    max_retry_attempts: int
    sleep_ms_before_attempt: Milliseconds
    retry_options: RetryOptions | Mapping[str, Any] | None


class ParentTaskKeywords(TaskKeywords, total=False):
    """Options of `parent_task`.

    on_run_and_children_complete: runs when all children have completed; its output is that of the
        parent task. `TaskOptions`, `ParentTaskOptions`, or a dict of them.
    finalize: instead; runs when all children have ended, one way or another.
    """

    on_run_and_children_complete: Finalizer | None
    finalize: Finalizer | None


class DecorateTask(Protocol):
    """What `executor.task(...)` gives when `run` is left out."""

    @overload
    def __call__(
        self, run: Callable[[TaskContext, I], Coroutine[Any, Any, O]], /
    ) -> DurableTask[I, O]: ...
    @overload
    def __call__(
        self, run: Callable[[TaskContext], Coroutine[Any, Any, O]], /
    ) -> DurableTask[None, O]: ...
    @overload
    def __call__(self, run: Callable[[TaskContext, I], O], /) -> DurableTask[I, O]: ...
    @overload
    def __call__(self, run: Callable[[TaskContext], O], /) -> DurableTask[None, O]: ...


class DecorateParentTask(Protocol):
    """What `executor.parent_task(...)` gives when `run_parent` is left out."""

    @overload
    def __call__(
        self, run_parent: Callable[[TaskContext, I], ParentReturn], /
    ) -> DurableTask[I, Any]: ...
    @overload
    def __call__(
        self, run_parent: Callable[[TaskContext], ParentReturn], /
    ) -> DurableTask[None, Any]: ...


class DecorateChecked(Protocol[V_contra, I_co]):
    """What `task(...)` of a checked input gives when `run` is left out."""

    @overload
    def __call__(
        self, run: Callable[[TaskContext, I_co], Coroutine[Any, Any, O]], /
    ) -> DurableTask[V_contra, O]: ...
    @overload
    def __call__(self, run: Callable[[TaskContext, I_co], O], /) -> DurableTask[V_contra, O]: ...


class CheckedInput(Generic[V, I]):
    """Makes tasks that are enqueued with a `V`, and run with the `I` that the check made of it."""

    def __init__(self, workshop: Workshop, check: Check) -> None:
        self._workshop = workshop
        self._check = check

    @overload
    def task(
        self,
        run: Callable[[TaskContext, I], Coroutine[Any, Any, O]],
        /,
        *,
        id: str | None = None,
        **options: Unpack[TaskKeywords],
    ) -> DurableTask[V, O]: ...
    @overload
    def task(
        self,
        *,
        id: str | None = None,
        run: Callable[[TaskContext, I], Coroutine[Any, Any, O]],
        **options: Unpack[TaskKeywords],
    ) -> DurableTask[V, O]: ...
    @overload
    def task(
        self,
        *,
        id: str | None = None,
        run: Callable[[TaskContext, I], O],
        **options: Unpack[TaskKeywords],
    ) -> DurableTask[V, O]: ...
    @overload
    def task(
        self, *, id: str | None = None, **options: Unpack[TaskKeywords]
    ) -> DecorateChecked[V, I]: ...
    def task(self, *args: Any, **options: Any) -> Any:
        """See `DurableExecutor.task`."""
        return task_of(self._workshop, self._check, *args, **options)

    @overload
    def parent_task(
        self,
        *,
        id: str | None = None,
        run_parent: Callable[[TaskContext, I], ParentReturn],
        **options: Unpack[ParentTaskKeywords],
    ) -> DurableTask[V, Any]: ...
    @overload
    def parent_task(
        self, *, id: str | None = None, **options: Unpack[ParentTaskKeywords]
    ) -> DecorateChecked[V, I]: ...
    def parent_task(self, *args: Any, **options: Any) -> Any:
        """See `DurableExecutor.parent_task`."""
        return parent_task_of(self._workshop, self._check, *args, **options)


def task_of(
    workshop: Workshop,
    check: Check | None,
    run: Callable[..., Any] | None = None,
    /,
    **options: Any,
) -> Any:
    """A task, or what makes one of the function it decorates."""
    run = options.pop("run", None) or run
    if run is None:
        return lambda decorated: task_of(workshop, check, decorated, **options)
    if options.get("id") is None:
        options["id"] = getattr(run, "__name__", "")
    return workshop.task(_options(TaskOptions, {**options, "run": run}), check)


def parent_task_of(
    workshop: Workshop,
    check: Check | None,
    run: Callable[..., Any] | None = None,
    /,
    **options: Any,
) -> Any:
    """A parent task, or what makes one of the function it decorates."""
    run = options.pop("run_parent", None) or run
    if run is None:
        return lambda decorated: parent_task_of(workshop, check, decorated, **options)
    if options.get("id") is None:
        options["id"] = getattr(run, "__name__", "")
    chosen = _options(ParentTaskOptions, {**options, "run_parent": run})
    return workshop.parent_task(chosen, check)


def _options(kind: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    try:
        return kind(**given)
    except TypeError as error:  # says which option is unknown
        raise TypeError(f"task {given['id']}: {error}") from None
