"""`Action`: one action as its users see it, and the one table of its statuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from perdure.client.query import ExecutionInfo
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.lifecycle import Status

ID_PREFIX: Final = "action_"
SERVICE_PREFIX: Final = "actions."
METHOD: Final = "run"


class ActionStatus(StrEnum):
    """pending -> active -> completed | failed -> (retry) -> pending, and cancelled."""

    PENDING = "pending"
    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


_STATUS_OF: Final = {
    Status.SCHEDULED: ActionStatus.PENDING,  # active when it has started: it backs off
    Status.QUEUED: ActionStatus.PENDING,  # active when it has started: it goes on elsewhere
    Status.RUNNING: ActionStatus.ACTIVE,
    Status.SUSPENDED: ActionStatus.ACTIVE,
    Status.PAUSED: ActionStatus.ACTIVE,
    Status.BLOCKED: ActionStatus.ACTIVE,
    Status.COMPLETED: ActionStatus.COMPLETED,
    Status.FAILED: ActionStatus.FAILED,
    Status.TIMED_OUT: ActionStatus.FAILED,
    Status.CANCELLED: ActionStatus.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Action:
    """One action, as it was when it was asked for.

    Args:
        id: begins with `action_`.
        name: under which its handler is defined.
        progress, total: as the handler said last; `progress` never goes back.
        message: of that progress.
        result: of a completed one; lists leave it out.
        error: message of a failed one, "" otherwise.
        attempts: how often the handler was begun since the start, retries included.
        labels: as they were given to the start.
    """

    id: str
    name: str
    status: ActionStatus
    progress: float = 0
    total: float | None = None
    message: str = ""
    result: Any = None
    error: str = ""
    attempts: int = 0
    priority: int = 0
    labels: Mapping[str, str] | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def percent(self) -> float:
        """0 to 100; 0 while the total is not known."""
        return 100.0 * self.progress / self.total if self.total else 0.0

    @property
    def is_finished(self) -> bool:
        """Whether it has an outcome. A failed one may be retried."""
        return self.status in FINISHED


FINISHED: Final = (ActionStatus.COMPLETED, ActionStatus.FAILED, ActionStatus.CANCELLED)


def service_of(name: str) -> str:
    """The service that runs the actions of a name. Each has its own, so that one which nobody
    has defined yet waits, whatever else is defined."""
    return f"{SERVICE_PREFIX}{name}"


def is_action(info: ExecutionInfo) -> bool:
    """Whether an execution is an action."""
    return info.id.startswith(ID_PREFIX) and info.target.startswith(SERVICE_PREFIX)


def status_of(info: ExecutionInfo) -> ActionStatus:
    """The action's status. One that has started stays active until it ends or is retried."""
    status = _STATUS_OF[info.status]
    if status is ActionStatus.PENDING and info.started is not None:
        return ActionStatus.ACTIVE
    return status


def engine_statuses(status: ActionStatus) -> tuple[Status, ...]:
    """All statuses that an execution may have whose action has this one."""
    found = [engine for engine, mapped in _STATUS_OF.items() if mapped is status]
    if status is ActionStatus.ACTIVE:
        found += [engine for engine, mapped in _STATUS_OF.items() if mapped is ActionStatus.PENDING]
    return tuple(found)


def checked_status(status: str) -> ActionStatus:
    """The status of this text. Raises `InvalidArgumentError`."""
    try:
        return ActionStatus(status)
    except ValueError:
        known = ", ".join(ActionStatus)
        raise InvalidArgumentError(f"an action is never {status!r}; it is {known}") from None


def action_of(info: ExecutionInfo) -> Action:
    """What an execution is as an action, without its result."""
    status, progress = status_of(info), info.progress
    action = Action(
        id=info.id,
        name=info.target.partition("/")[0].removeprefix(SERVICE_PREFIX),
        status=status,
        attempts=info.attempt,
        priority=info.priority,
        labels=dict(info.labels),
        created_at=info.created,
        started_at=info.started,
        completed_at=info.finished,
        error=_message(info.error) if status is ActionStatus.FAILED else "",
    )
    if progress is None:
        return action
    return replace(action, progress=progress.done, total=progress.total, message=progress.message)


def _message(error: str) -> str:
    """The message of "TypeName: message"; the type's name where there is no message."""
    type_name, _, message = error.partition(": ")
    return message or type_name
