"""The methods of `Tasks` as functions: they use the client that direct calls use (semantics, 3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from perdure.client.ambient import ambient_client
from perdure.tasks.tasks import Tasks

P = ParamSpec("P")
T = TypeVar("T")


def _ambient(
    method: Callable[Concatenate[Tasks, P], Awaitable[T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    @wraps(method)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return await method(Tasks(await ambient_client()), *args, **kwargs)

    return call


add_comment = _ambient(Tasks.add_comment)
add_dependency = _ambient(Tasks.add_dependency)
assign_task = _ambient(Tasks.assign_task)
bulk_cancel = _ambient(Tasks.bulk_cancel)
bulk_update_status = _ambient(Tasks.bulk_update_status)
cancel_task = _ambient(Tasks.cancel_task)
claim = _ambient(Tasks.claim)
complete_task = _ambient(Tasks.complete_task)
create_subtask = _ambient(Tasks.create_subtask)
create_task = _ambient(Tasks.create_task)
fail_task = _ambient(Tasks.fail_task)
get_subtasks = _ambient(Tasks.get_subtasks)
get_task = _ambient(Tasks.get_task)
list_tasks = _ambient(Tasks.list_tasks)
reject_task = _ambient(Tasks.reject_task)
release_task = _ambient(Tasks.release_task)
remove_dependency = _ambient(Tasks.remove_dependency)
retry_task = _ambient(Tasks.retry_task)
start_task = _ambient(Tasks.start_task)
stats = _ambient(Tasks.stats)
submit_for_review = _ambient(Tasks.submit_for_review)
update_progress = _ambient(Tasks.update_progress)
update_task = _ambient(Tasks.update_task)
wait_for_task = _ambient(Tasks.wait_for_task)
work = _ambient(Tasks.work)
