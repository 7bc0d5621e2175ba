"""The tasks of one executor by id, and how shapes become the values that their code expects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perdure.executor.errors import TaskError, refusal
from perdure.executor.task import (
    ChildOutput,
    ChildResult,
    DurableTask,
    FinalizeInput,
    FinalizerInput,
    LoopOutput,
    ParentOutput,
    ParentRun,
    TaskKind,
    child_task,
    first_of,
)
from perdure.executor.validation import checked
from perdure.executor.values import Values

Shape = Mapping[str, Any]


class Tasks:
    """See the module."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self._by_id: dict[str, DurableTask[Any, Any]] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._by_id

    def add(self, task: DurableTask[Any, Any]) -> None:
        """Remember a task. Raises `DurableTaskError` if another has its id."""
        if task.id in self._by_id:
            raise refusal(f"Task {task.id} already exists. Use unique ids for tasks")
        self._by_id[task.id] = task

    def get(self, id: str) -> DurableTask[Any, Any] | None:
        """The task of an id, None if this executor has none."""
        return self._by_id.get(id)

    def own(self, task: object) -> DurableTask[Any, Any]:
        """Return `task` if it is one of these. Raises `DurableTaskError`."""
        if not isinstance(task, DurableTask):
            raise refusal(f"{task!r} is no task; make one with executor.task(...)")
        if self._by_id.get(task.id) is not task:
            raise refusal(f"Task {task.id} not found: it belongs to another executor")
        return task

    # --- shapes to values ----------------------------------------------------------------------

    def input_of(self, task: DurableTask[Any, Any], shape: Any) -> Any:
        """What the code of a task gets; of a finalizer that is what came before it."""
        if task.finalizes is not None:
            return self._finalizer_input(task.finalizes, shape)
        return self.values.value(shape, task.input_hint, f"input of task {task.id}")

    def output_of(self, task: DurableTask[Any, Any] | None, shape: Any) -> Any:
        """The output of a task's execution."""
        if task is None:
            return self.values.value(shape, Any, "output")
        if task.finalizer is not None:
            return self.output_of(task.finalizer, shape)
        if task.kind is TaskKind.PARENT:
            output = self.values.value(shape["output"], task.run_hint, f"output of task {task.id}")
            return ParentOutput(output, self._children_outputs(shape["children_outputs"]))
        if task.last is not None and task.kind is TaskKind.SEQUENCE:
            return self.output_of(task.last, shape)
        if task.kind is TaskKind.LOOP:
            output = self.values.value(shape["output"], Any, f"output of task {task.id}")
            return LoopOutput(shape["is_success"], output)
        return self.values.value(shape, task.output_hint, f"output of task {task.id}")

    def _finalizer_input(self, parent: DurableTask[Any, Any], shape: Shape) -> Any:
        input = self.input_of(parent, shape["input"])
        what = f"output of run_parent of task {parent.id}"
        output = self.values.value(shape["output"], parent.run_hint, what)
        if parent.settles:
            return FinalizeInput(input, output, tuple(map(self._child_result, shape["children"])))
        return FinalizerInput(input, output, self._children_outputs(shape["children_outputs"]))

    def iteration(self, task: DurableTask[Any, Any], shape: Any) -> tuple[bool, Any]:
        """Whether an iteration of a loop was the last, and the output as it travels."""
        what = f"output of task {task.id}"
        found = self.values.value(shape, Any, what)
        if not isinstance(found, Mapping) or not isinstance(found.get("is_done"), bool):
            raise refusal(
                f"{what} is {found!r}; an iteration returns a dict with is_done, True or False, "
                "and output"
            )
        return found["is_done"], self.values.shape(found.get("output"), what)

    # --- values to shapes ----------------------------------------------------------------------

    async def run_input(self, task: DurableTask[Any, Any], value: Any) -> Any:
        """An input as it travels, checked.

        Raises:
            DurableTaskError: the input is refused.
            SerializationError, LimitExceededError: it cannot travel.
        """
        value = await checked(task.id, first_of(task).check, value)
        return self.values.shape(value, f"input of task {task.id}")

    async def parent_run(self, task: DurableTask[Any, Any], run: ParentRun[Any]) -> dict[str, Any]:
        """What a `run_parent` returned as it travels, its children checked. Raises as above."""
        children = []
        for number, given in enumerate(run.children):
            child = child_task(f"child {number} of task {task.id}", given)
            of = self.own(child.task)
            children.append(
                {
                    "task_id": of.id,
                    "input": await self.run_input(of, child.input),
                    "delay_ms": of.first_delay_ms,
                }
            )
        output = self.values.shape(run.output, f"output of run_parent of task {task.id}")
        return {"output": output, "children": children}

    def _children_outputs(self, shapes: list[Shape]) -> tuple[ChildOutput, ...]:
        return tuple(
            ChildOutput(
                each["index"],
                each["task_id"],
                each["execution_id"],
                self.output_of(self.get(each["task_id"]), each["output"]),
            )
            for each in shapes
        )

    def _child_result(self, shape: Shape) -> ChildResult:
        task_id, error = shape["task_id"], shape.get("error")
        output = None
        if shape["status"] == "completed":
            output = self.output_of(self.get(task_id), shape["output"])
        return ChildResult(
            shape["index"],
            task_id,
            shape["execution_id"],
            shape["status"],
            output,
            None if error is None else TaskError(**error),
        )
