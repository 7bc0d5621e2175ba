"""Makes tasks of options: checks them, and puts what runs them into the executor's services."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Final, get_args, get_origin

from perdure.executor.errors import refusal
from perdure.executor.flows import (
    Names,
    check_of,
    flow,
    loop_body,
    parent_body,
    sequence_body,
    sleeping_body,
)
from perdure.executor.signals import Signal
from perdure.executor.task import (
    DurableTask,
    ParentRun,
    TaskKind,
    Unit,
    first_of,
    parent_run,
)
from perdure.executor.task_options import (
    Attempts,
    ParentTaskOptions,
    TaskOptions,
    attempts,
    check_task_id,
    finalizer_options,
)
from perdure.executor.tasks import Tasks
from perdure.executor.unit import Units, checker, signature_of_run
from perdure.executor.validation import Check
from perdure.executor.values import Values
from perdure.service import DEFAULT_VERSION, Service
from perdure_runtime.core.limits import check_name

Task = DurableTask[Any, Any]
_ITERATIONS: Final = 1_000_000


@dataclass(slots=True)
class Workshop:
    """The tasks of one executor, and the services that run them.

    Args:
        changed: called after a task was added.
    """

    names: Names
    tasks: Tasks
    units: Units
    changed: Callable[[], None]
    services: list[Service] = field(default_factory=list)

    @classmethod
    def of(
        cls, name: str, values: Values, shutdown_signal: Signal, changed: Callable[[], None]
    ) -> Workshop:
        """An empty one. Raises `InvalidArgumentError` for a bad name."""
        names = Names(check_name("name of the executor", name))
        services = [
            Service(each, DEFAULT_VERSION) for each in (names.tasks, names.parts, names.checks)
        ]
        return cls(names, Tasks(values), Units(shutdown_signal), changed, services)

    # --- single tasks --------------------------------------------------------------------------

    def task(self, options: TaskOptions, check: Check | None = None) -> Task:
        """A task that is one unit. Raises `DurableTaskError`."""
        id = self._free(options.id)
        signature, takes_input = signature_of_run(f"run of task {id}", options.run)
        when = attempts(options)
        task = DurableTask[Any, Any](
            id,
            TaskKind.RUN,
            first_delay_ms=when.first_delay_ms,
            check=check,
            input_hint=_input_hint(signature, check),
            output_hint=signature.result_hint,
        )
        self._add_unit(task, options.run, when, takes_input)
        self._added(task)
        return task

    def _add_unit(
        self, task: Task, run: Callable[..., Any], when: Attempts, takes_input: bool
    ) -> None:
        """The unit of a task that is one, or the finalizer of another."""
        tasks = self.tasks

        async def finish(result: Any) -> Any:
            return tasks.values.shape(result, f"output of task {task.id}")

        unit = Unit(task.id, run, when, partial(tasks.input_of, task), takes_input)
        self._offer(self.names.tasks, self.units.definition(self.names.tasks, unit, finish))

    # --- tasks of tasks ------------------------------------------------------------------------

    def parent_task(self, options: ParentTaskOptions, check: Check | None = None) -> Task:
        """A parent task, and its finalizer. Raises `DurableTaskError`."""
        id = self._free(options.id)
        where = f"run_parent of task {id}"
        signature, takes_input = signature_of_run(where, options.run_parent)
        when = attempts(options)
        given = options.on_run_and_children_complete
        if given is not None and options.finalize is not None:
            raise refusal(f"task {id}: give on_run_and_children_complete or finalize, not both")
        task = DurableTask[Any, Any](
            id,
            TaskKind.PARENT,
            first_delay_ms=when.first_delay_ms,
            check=check,
            input_hint=_input_hint(signature, check),
            run_hint=_run_hint(signature.result_hint),
            settles=options.finalize is not None,
        )
        finalizer = None
        if given is not None or options.finalize is not None:
            finalizer = self._finalizer(task, given or options.finalize)
        task.finalizer = finalizer
        self._offer_parent(task, options.run_parent, when, takes_input)
        self._added(task)
        return task

    def _finalizer(self, parent: Task, given: object) -> Task:
        name = "finalize" if parent.settles else "on_run_and_children_complete"
        where = f"{name} of task {parent.id}"
        options = finalizer_options(where, given)
        if options.id == parent.id:
            raise refusal(f"{where}: its id is that of the task itself")
        if isinstance(options, ParentTaskOptions):
            task = self.parent_task(options)
        else:
            task = self.task(options)
        task.finalizes = parent
        return task

    def _offer_parent(
        self, task: Task, run: Callable[..., Any], when: Attempts, takes_input: bool
    ) -> None:
        tasks, names = self.tasks, self.names

        async def finish(result: Any) -> Any:
            return await tasks.parent_run(task, parent_run(task.id, result))

        unit = Unit(task.id, run, when, partial(tasks.input_of, task), takes_input, wraps=True)
        self._offer(names.parts, self.units.definition(names.parts, unit, finish))
        self._offer(names.tasks, flow(names, task.id, parent_body(names, task)))

    def sequence(self, parts: tuple[Task, ...], id: str | None = None) -> Task:
        """Tasks one after the other. One alone is given back. Raises `DurableTaskError`.

        Args:
            id: made of the ids of the tasks when None: the same in every process, so that what is
                under way goes on after a restart.
        """
        if not parts:
            raise refusal("No tasks provided")
        for part in parts:
            self.tasks.own(part)
        if len(parts) == 1 and id is None:
            return parts[0]
        if id is None:
            text = " ".join(part.id for part in parts)
            id = f"st_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
            known = self.tasks.get(id)
            if known is not None:
                return known
        task = DurableTask[Any, Any](
            self._free(id),
            TaskKind.SEQUENCE,
            first_delay_ms=parts[0].first_delay_ms,
            input_hint=parts[0].input_hint,
            first=parts[0],
            last=parts[-1],
        )
        for before, part in pairwise(parts):
            self._offer_check(before, part)
        body = sequence_body(self.names, id, parts)
        self._offer(self.names.tasks, flow(self.names, id, body))
        self._added(task)
        return task

    def _offer_check(self, before: Task, task: Task) -> None:
        """The check of what one task hands to the next."""
        tasks = self.tasks
        if first_of(task).check is None:
            return

        async def check(shape: Any) -> Any:
            return await tasks.run_input(task, tasks.output_of(before, shape))

        name = check_of(before, task)
        self._offer(self.names.checks, checker(self.names.checks, name, check))

    # --- tasks of later versions ---------------------------------------------------------------

    def loop(self, id: str, iteration: Task, max_attempts: int, sleep_ms: int) -> Task:
        """The same task until it says that it is done. Raises `DurableTaskError`."""
        self.tasks.own(iteration)
        where = f"task {id}"
        if not 1 <= max_attempts <= _ITERATIONS:
            raise refusal(f"{where}: max_attempts must be 1 to {_ITERATIONS}, not {max_attempts}")
        if sleep_ms < 0:
            raise refusal(f"{where}: sleep_ms_before_run must be 0 or more, not {sleep_ms}")
        task = DurableTask[Any, Any](
            self._free(id), TaskKind.LOOP, input_hint=iteration.input_hint, first=iteration
        )

        def read(shape: Any) -> tuple[bool, Any]:
            return self.tasks.iteration(iteration, shape)

        body = loop_body(self.names, id, iteration, max_attempts, sleep_ms, read)
        self._offer(self.names.tasks, flow(self.names, id, body))
        self._added(task)
        return task

    def sleeping(self, id: str, timeout_ms: int | None) -> Task:
        """A task that waits to be woken up. Raises `DurableTaskError`."""
        if timeout_ms is not None and timeout_ms < 1:
            raise refusal(f"task {id}: timeout_ms must be 1 or more, not {timeout_ms}")
        task = DurableTask[Any, Any](self._free(id), TaskKind.SLEEP, input_hint=str)
        self._offer(self.names.tasks, flow(self.names, id, sleeping_body(timeout_ms)))
        self._added(task)
        return task

    # --- the services --------------------------------------------------------------------------

    def _free(self, id: object) -> str:
        checked = check_task_id(id)
        if checked in self.tasks:
            raise refusal(f"Task {checked} already exists. Use unique ids for tasks")
        return checked

    def _offer(self, service: str, definition: Any) -> None:
        next(each for each in self.services if each.name == service).offer(definition)

    def _added(self, task: Task) -> None:
        self.tasks.add(task)
        self.changed()


def _input_hint(signature: Any, check: Check | None) -> Any:
    """What `run` says of its input; else what the check makes of one."""
    name = next(iter(signature.parameters), None)
    made = Any if check is None else check.hint
    return made if name is None else signature.hints.get(name, made)


def _run_hint(returned: Any) -> Any:
    """The type of `output` in `ParentRun[...]`; `Any` where `run_parent` says nothing."""
    if get_origin(returned) is ParentRun:
        return get_args(returned)[0]
    return Any
