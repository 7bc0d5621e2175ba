"""Tasks as users hold them, and what passes between a parent task, its children and finalizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from perdure.executor.errors import TaskError, refusal
from perdure.executor.task_options import Attempts
from perdure.executor.validation import Check

I_contra = TypeVar("I_contra", contravariant=True)
O_co = TypeVar("O_co", covariant=True)
O = TypeVar("O")  # noqa: E741 - output


class TaskKind(StrEnum):
    """What an execution of a task does."""

    RUN = "run"
    PARENT = "parent"
    SEQUENCE = "sequence"
    LOOP = "loop"
    SLEEP = "sleep"


class DurableTask(Generic[I_contra, O_co]):
    """A task of one executor. Made by `executor.task` and its like; hand it to `enqueue_task`.

    Args:
        input_hint: type of the input of `run`, by which it is restored.
        output_hint: type of the output of the execution.
        run_hint: type of the output of `run_parent`.
        first, last: of the tasks that it is made of; their checks and hints apply.
        finalizes: the parent task whose finalizer it is.
        settles: whether the finalizer also runs when children failed.
    """

    def __init__(
        self,
        id: str,
        kind: TaskKind,
        *,
        first_delay_ms: int = 0,
        check: Check | None = None,
        input_hint: Any = Any,
        output_hint: Any = Any,
        finalizer: DurableTask[Any, Any] | None = None,
        settles: bool = False,
        run_hint: Any = Any,
        first: DurableTask[Any, Any] | None = None,
        last: DurableTask[Any, Any] | None = None,
        finalizes: DurableTask[Any, Any] | None = None,
    ) -> None:
        self.id = id
        self.kind = kind
        self.first_delay_ms = first_delay_ms
        self.check = check
        self.input_hint = input_hint
        self.output_hint = output_hint
        self.finalizer = finalizer
        self.settles = settles
        self.run_hint = run_hint
        self.first = first
        self.last = last
        self.finalizes = finalizes

    def __repr__(self) -> str:
        return f"DurableTask({self.id!r})"


def first_of(task: DurableTask[Any, Any]) -> DurableTask[Any, Any]:
    """The task whose check applies to the input: that of a sequence is its first task's."""
    while task.first is not None:
        task = task.first
    return task


@dataclass(frozen=True, slots=True)
class ChildTask:
    """One child of a parent task: a task of the same executor and its input."""

    task: DurableTask[Any, Any]
    input: Any = None


@dataclass(frozen=True, slots=True)
class ParentRun(Generic[O]):
    """What `run_parent` returns: its own output, and the children that run next, in parallel.

    A dict with the same keys will do, and dicts with `task` and `input` for the children.
    """

    output: O
    children: Sequence[ChildTask | Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class ChildOutput:
    """A child that completed, in the order of the children."""

    index: int
    task_id: str
    execution_id: str
    output: Any


@dataclass(frozen=True, slots=True)
class ChildResult:
    """A child that has ended, one way or another: what `finalize` gets."""

    index: int
    task_id: str
    execution_id: str
    status: Literal["completed", "failed", "timed_out", "cancelled"]
    output: Any = None
    error: TaskError | None = None


@dataclass(frozen=True, slots=True)
class ParentOutput:
    """Output of a parent task without a finalizer."""

    output: Any
    children_outputs: tuple[ChildOutput, ...]


@dataclass(frozen=True, slots=True)
class LoopOutput:
    """Output of a looping task: `is_success` is False when the iterations were used up."""

    is_success: bool
    output: Any = None


@dataclass(frozen=True, slots=True)
class FinalizerInput:
    """What `on_run_and_children_complete` gets: all children have completed.

    Args:
        input: of the parent task, after its check.
        output: of its `run_parent`.
    """

    input: Any
    output: Any
    children_outputs: tuple[ChildOutput, ...]


@dataclass(frozen=True, slots=True)
class FinalizeInput:
    """What `finalize` gets: all children have ended, also those that failed."""

    input: Any
    output: Any
    children: tuple[ChildResult, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of user code that is run whole, and again from its start if its worker dies.

    Args:
        decode: makes the argument of `function` of the shape that arrived.
        takes_input: whether `function` has a second parameter.
        wraps: whether what arrives also names the execution that this is a part of.
    """

    task_id: str
    function: Callable[..., Any]
    attempts: Attempts
    decode: Callable[[Any], Any]
    takes_input: bool
    wraps: bool = False


def parent_run(task_id: str, returned: object) -> ParentRun[Any]:
    """What a `run_parent` returned. Raises `DurableTaskError`, not retryable."""
    where = f"run_parent of task {task_id}"
    if isinstance(returned, Mapping):
        if not {"output"} <= returned.keys() <= {"output", "children"}:
            raise refusal(
                f"{where} returned a dict with {', '.join(map(str, returned)) or 'nothing'}; it "
                "takes output and children"
            )
        returned = ParentRun(returned["output"], returned.get("children") or ())
    if not isinstance(returned, ParentRun):
        raise refusal(
            f"{where} returned {type(returned).__name__}; return ParentRun(output, children), or "
            "a dict with output and children"
        )
    return returned


def child_task(where: str, child: object) -> ChildTask:
    """One child that a `run_parent` named. Raises `DurableTaskError`, not retryable."""
    if isinstance(child, Mapping) and {"task"} <= child.keys() <= {"task", "input"}:
        child = ChildTask(child["task"], child.get("input"))
    if not isinstance(child, ChildTask) or not isinstance(child.task, DurableTask):
        raise refusal(f"{where} is {child!r}; a child is ChildTask(task, input)")
    return child
