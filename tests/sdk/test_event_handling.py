"""The users' approval workflow: approved, rejected, timed out, an early event, an event twice."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import Any
from uuid import uuid4

from perdure import durable
from tests.sdk.backends import Backend
from tests.seeds import event_handling
from tests.seeds.event_handling import event_driven_workflow

processor = durable.service("processor")
approvals = durable.service("approvals")
SERVICES = [approvals, processor]
executed: Counter[str] = Counter()


@processor.handler
def execute_approved(payload: dict[str, Any]) -> str:
    executed[payload["workflow_id"]] += 1
    return f"executed for {payload['approval_data']['by']}"


def with_a_short_timeout() -> Any:
    """Their block with 50 ms in the place of 24 hours."""
    source = inspect.getsource(event_handling)
    assert source.count("86400.0") == 1
    names: dict[str, Any] = {"__name__": event_handling.__name__}
    source = source.replace("86400.0", "0.05").replace("event_driven_workflow", "in_a_hurry")
    exec(compile(source, event_handling.__file__, "exec"), names)  # noqa: S102  # their text, with one number changed
    return names["in_a_hurry"]


approvals.add_function(event_driven_workflow)
approvals.add_function(with_a_short_timeout())


async def started(backend: Backend, workflow_id: str, name: str = "event_driven_workflow") -> Any:
    return await backend.client.start("approvals", name, workflow_id, id=workflow_id)


async def test_approved(backend: Backend) -> None:
    id = uuid4().hex
    handle = await started(backend, id)
    await backend.until(id, "event_awaited")
    assert await handle.read_state() == {"workflow_status": "waiting_for_approval"}
    await backend.client.send_event(f"approval_{id}", {"approved": True, "by": "eve"})
    assert await handle.result(30) == {"success": True, "result": "executed for eve"}
    assert await handle.read_state() == {"workflow_status": "completed"}
    assert executed[id] == 1


async def test_rejected(backend: Backend) -> None:
    id = uuid4().hex
    handle = await started(backend, id)
    await backend.client.send_event(f"approval_{id}", {"approved": False, "reason": "too dear"})
    assert await handle.result(30) == {"success": False, "reason": "too dear"}
    assert await handle.read_state() == {"workflow_status": "rejected"}
    assert executed[id] == 0


async def test_nobody_answers(backend: Backend) -> None:
    id = uuid4().hex
    handle = await started(backend, id, "in_a_hurry")
    assert await handle.result(30) == {"success": False, "reason": "Approval timeout"}
    assert await handle.read_state() == {"workflow_status": "timeout"}


async def test_the_approval_comes_before_the_workflow(backend: Backend) -> None:
    id = uuid4().hex
    await backend.client.send_event(f"approval_{id}", {"approved": True, "by": "ann"})
    handle = await started(backend, id)
    assert await handle.result(30) == {"success": True, "result": "executed for ann"}


async def test_the_approval_comes_twice(backend: Backend) -> None:
    id = uuid4().hex
    handle = await started(backend, id)
    for by in ("first", "second"):
        event = {"approved": True, "by": by}
        await backend.client.send_event(f"approval_{id}", event, dedupe_id="approval")
    assert await handle.result(30) == {"success": True, "result": "executed for first"}
    assert executed[id] == 1
