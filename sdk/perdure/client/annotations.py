"""Remarks on executions; comments on tasks are the same."""

from __future__ import annotations

from uuid import uuid4

from perdure.client.control import check_result
from perdure.client.transport import Transport
from perdure_runtime.core.client import ControlResult, TaskOperation, TaskRequest
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.limits import check_name
from perdure_runtime.core.tasks import WorkerRef


async def annotate(transport: Transport, namespace: str, id: str, text: str, author: str) -> None:
    """See `Client.annotate`."""
    check_name("execution id", id)
    if not text:
        raise InvalidArgumentError("a remark has a text")
    worker = WorkerRef(check_name("author", author)) if author else None
    request = TaskRequest(
        namespace, uuid4().hex, TaskOperation.COMMENT, (id,), worker=worker, message=text
    )
    (result,) = (await transport.update_tasks(request)).results
    check_result(ControlResult(id, True, result.error_code, result.error_message))
