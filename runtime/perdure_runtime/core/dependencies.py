"""What an execution waits for before it begins: the ends of others."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from perdure_runtime.core.lifecycle import Status


class OnDependency(StrEnum):
    """What becomes of an execution when one that it depends on does not complete."""

    BLOCK = "block"  # it goes on waiting: the other may be retried
    FAIL = "fail"  # it fails; a task is cancelled, for a blocked one cannot fail
    CANCEL = "cancel"  # it is cancelled
    IGNORE = "ignore"  # it begins as if the other had completed


class Dependency(Struct, frozen=True):
    """An execution of the same namespace whose end is awaited.

    `on_failed` holds for one that failed or timed out, `on_cancelled` for one that was cancelled or
    is not there any more.
    """

    id: str
    on_failed: OnDependency = OnDependency.BLOCK
    on_cancelled: OnDependency = OnDependency.BLOCK


def consequence(dependency: Dependency, status: Status | None) -> OnDependency:
    """What an end means for who waits; completion is as good as what is to be ignored.

    Args:
        status: of the other, None if it was deleted.
    """
    if status is Status.COMPLETED:
        return OnDependency.IGNORE
    if status in (Status.FAILED, Status.TIMED_OUT):
        return dependency.on_failed
    return dependency.on_cancelled
