"""What is given to the methods of `Tasks`, checked and in the engine's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perdure.option_checks import optional_milliseconds
from perdure.tasks.values import TaskFunction
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.tasks import TaskStatus


def as_function(function: TaskFunction | Mapping[str, Any] | str) -> TaskFunction:
    """A function, given as one, by its fields, or by its name.

    Raises:
        InvalidArgumentError: it has no name, or a field that functions do not have.
    """
    if isinstance(function, TaskFunction):
        return function
    fields = {"name": function} if isinstance(function, str) else dict(function)
    try:
        return TaskFunction(**fields)
    except TypeError as error:
        raise InvalidArgumentError(f"{fields!r} is no function of a task: {error}") from None


def task_status_of(word: str) -> TaskStatus:
    """A status by its name. Raises `InvalidArgumentError`."""
    try:
        return TaskStatus(word)
    except ValueError:
        known = ", ".join(TaskStatus)
        raise InvalidArgumentError(f"{word!r} is no status; there are {known}") from None


def claim_milliseconds(what: str, seconds: float) -> int:
    """Seconds of a lease or a wait, 0 included. Raises `InvalidArgumentError`."""
    found = optional_milliseconds("claim", what, seconds) if seconds else 0
    return found or 0
