"""The users' page on tasks, each heading a test: embedded and over gRPC (no worker runs here)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure import Client, errors, tasks
from perdure.tasks import InvalidTransitionError, Task, TaskError, WorkerRef
from tests.seeds import task_lifecycle as seed

AGENT = WorkerRef("agent_1", "agent", "Worker Agent")
HUMAN = WorkerRef("ada", "human", "Ada")


@pytest.fixture
async def client(endpoint: str | None, tmp_path: Path) -> AsyncIterator[Client]:
    if endpoint is None:
        async with perdure.embedded(tmp_path / "perdure.db", services=[]) as runtime:
            yield runtime.client
    else:
        async with perdure.connect(endpoint, namespace=tmp_path.name) as client:
            yield client


pytestmark = pytest.mark.usefixtures("client")


async def started(**options: Any) -> Task:
    task = await tasks.create_task(seed.func, **options)
    return await tasks.start_task(task.id, seed.agent)


async def failed(**options: Any) -> Task:
    task = await started(**options)
    return await tasks.fail_task(task.id, "no")


def types(task: Task | None) -> list[str]:
    assert task is not None
    assert len({event.id for event in task.events}) >= len(task.events) - 1
    return [event.type for event in task.events]


async def test_creating_tasks() -> None:
    task = await seed.creating_tasks()
    assert (task.priority, task.function.prompt_template) == ("high", "Summarize: {{text}}")
    assert task.input == {"text": "Long article content..."}
    assert (await tasks.create_task("plain")).priority == "normal"
    held = await tasks.create_task("plain", hold=True)
    assert held.status == "pending"
    past = await tasks.create_task("plain", scheduled_for=datetime(2024, 12, 31, tzinfo=UTC))
    assert past.status == "queued"
    waits = await tasks.create_task("plain", depends_on=[task.id])
    assert (waits.status, waits.waits_for) == ("blocked", (task.id,))


async def test_starting_tasks() -> None:
    await seed.starting_tasks(await seed.creating_tasks())


async def test_progress_updates() -> None:
    task = await started()
    progress = await seed.progress_updates(task)
    assert progress is not None
    assert (progress.percent, progress.current_step) == (75, "Generating output")
    assert progress.estimated_time_remaining_ms is not None
    assert progress.estimated_time_remaining_ms >= 0
    with pytest.raises(errors.InvalidArgumentError, match="0 to 100, not 900"):
        await tasks.update_progress(task.id, 900)
    queued = await tasks.create_task("plain")
    with pytest.raises(InvalidTransitionError, match="Cannot update the progress of a queued task"):
        await tasks.update_progress(queued.id, 5)


async def test_completing_tasks() -> None:
    task = await started()
    await seed.completing_tasks(task)
    with pytest.raises(InvalidTransitionError, match="Cannot complete completed task"):
        await tasks.complete_task(task.id, 2)


async def test_failing_tasks() -> None:
    await seed.failing_tasks(await started(), await started())
    task = await started()
    failed_by = await tasks.fail_task(task.id, ValueError("boom"))
    assert failed_by.result is not None
    assert failed_by.result.error is not None
    assert (failed_by.result.error.code, failed_by.result.error.message) == ("ValueError", "boom")


async def test_cancelling_tasks() -> None:
    task = await tasks.create_task("plain")
    await seed.cancelling_tasks(task)
    with pytest.raises(InvalidTransitionError, match="Cannot cancel cancelled task"):
        await tasks.cancel_task(task.id)
    done = await started()
    await tasks.complete_task(done.id)
    with pytest.raises(InvalidTransitionError, match="Cannot cancel completed task"):
        await tasks.cancel_task(done.id)


async def test_retrying_tasks() -> None:
    one = await failed()
    await seed.retrying_tasks(one, await failed())
    again = await tasks.start_task(one.id, seed.agent)
    assert (again.metadata.execution_count, again.result) == (2, None)
    with pytest.raises(InvalidTransitionError, match="Cannot retry in_progress task"):
        await tasks.retry_task(one.id)


async def test_auto_retry_honours_retry_after() -> None:
    task = await started(retry=1)
    waiting = await tasks.fail_task(
        task.id, {"code": "RATE_LIMIT", "message": "m", "retryAfter": 40}
    )
    assert (waiting.status, waiting.metadata.retry_count) == ("scheduled", 1)
    claim = await tasks.claim(worker=AGENT, wait=20)
    assert claim is not None
    assert claim.id == task.id
    await claim.fail("no")
    assert types(await tasks.get_task(task.id)) == [
        *("created", "queued", "assigned", "started", "failed", "retried", "queued"),
        *("assigned", "started", "failed"),
    ]


async def test_event_history() -> None:
    task = await seed.creating_tasks()
    await tasks.start_task(task.id, seed.agent)
    await tasks.update_progress(task.id, 50)
    await tasks.complete_task(task.id)
    events = await seed.event_history(task.id)
    assert [event.type for event in events] == [
        *("created", "queued", "assigned", "started", "progress", "completed"),
    ]
    assert events[0].message == "Task created"
    assert events[2].actor == events[3].actor == AGENT
    assert events[4].data["percent"] == 50
    assert sorted(event.timestamp for event in events) == [event.timestamp for event in events]


async def test_adding_comments() -> None:
    task = await started()
    (comment,) = await seed.adding_comments(task)
    assert (comment.message, comment.actor) == ("Found an edge case, handling it", AGENT)
    await tasks.complete_task(task.id)
    await tasks.add_comment(task.id, "Well done", HUMAN)
    assert types(await tasks.get_task(task.id))[-2:] == ["completed", "comment"]


async def test_task_priority() -> None:
    assert (await seed.task_priority()).priority == "critical"


async def test_priority_order() -> None:
    names = ["low", "critical", "normal", "urgent", "high"]
    for name in names:
        await tasks.create_task(name, priority=name)  # type: ignore[arg-type]
    order = []
    while (claim := await tasks.claim(worker=AGENT)) is not None:
        order.append(claim.function.name)
    assert order == ["critical", "urgent", "high", "normal", "low"]


async def test_scheduled_tasks() -> None:
    task = await seed.scheduled_tasks(seed.soon())
    assert task.scheduled_for is not None
    later = await tasks.create_task(
        "plain", scheduled_for=datetime.now(UTC) + timedelta(seconds=0.3)
    )
    assert later.status == "scheduled"
    claim = await tasks.claim(worker=AGENT, wait=20)
    assert claim is not None
    assert claim.id == later.id
    assert types(await tasks.get_task(later.id))[:3] == ["created", "scheduled", "queued"]


async def test_task_metadata() -> None:
    task = await started()
    await tasks.complete_task(task.id)
    metadata = await seed.task_metadata(task.id)
    assert metadata.started_at is not None
    assert metadata.completed_at is not None
    assert metadata.created_at <= metadata.started_at <= metadata.completed_at
    duration = metadata.completed_at - metadata.started_at
    assert metadata.duration_ms == round(duration.total_seconds() * 1000)
    assert (metadata.retry_count, metadata.execution_count) == (0, 1)


async def test_waiting_for_completion() -> None:
    task = await started()
    waiting = asyncio.create_task(seed.waiting_for_completion(task))
    await asyncio.sleep(0)
    await tasks.complete_task(task.id, {"n": 1})
    assert await waiting == ("Output:", {"n": 1})
    broken = await failed()
    assert await seed.waiting_for_completion(broken) == ("Error:", TaskError("TASK_FAILED", "no"))
    gone = await tasks.wait_for_task("nobody")
    assert gone.error is not None
    assert gone.error.code == "TASK_NOT_FOUND"
    slow = await tasks.create_task("plain")
    late = await tasks.wait_for_task(slow.id, timeout=0.01)
    assert late.error is not None
    assert late.error.code == "TIMEOUT"
    await tasks.cancel_task(slow.id, "too slow")
    assert (await tasks.wait_for_task(slow.id)).error == TaskError("TASK_CANCELLED", "too slow")


async def test_bulk_operations() -> None:
    held = [(await tasks.create_task("plain", hold=True)).id for _ in range(3)]
    busy = await started()
    await tasks.complete_task(busy.id)
    updated, cancelled = await seed.bulk_operations([*held, busy.id], [held[0], "nobody", busy.id])
    assert [result.success for result in updated] == [True, True, True, False]
    assert updated[3].error is not None
    assert "Cannot queue completed task" in updated[3].error.message
    assert [result.success for result in cancelled] == [True, False, False]
    assert cancelled[1].error is not None
    assert cancelled[1].error.code == "NotFoundError"
    statuses = [task.status for task in await tasks.list_tasks()]
    assert sorted(statuses) == ["cancelled", "completed", "queued", "queued"]


async def test_state_transitions() -> None:
    pending = await tasks.create_task("plain", hold=True)
    error = await seed.state_transitions(pending, 1)
    assert str(error).startswith("Cannot complete pending task")
    assert (error.from_status, error.to_status) == ("pending", "completed")


async def test_review() -> None:
    task = await started()
    waiting = await tasks.complete_task(task.id, review=True)
    assert waiting.status == "review"
    again = await tasks.reject_task(task.id, "chapter 2 is missing")
    assert again.status == "in_progress"
    await tasks.submit_for_review(task.id)
    done = await tasks.complete_task(task.id, "fine")
    assert (done.status, done.metadata.execution_count) == ("completed", 1)
    assert types(done)[-5:] == ["started", "review", "reopened", "review", "completed"]


async def test_subtasks_tags_and_lists() -> None:
    parent = await tasks.create_task("parent", tags=["a"])
    child = await tasks.create_subtask(parent.id, "child", tags=["a", "b"], priority="high")
    other = await tasks.create_task("other", queue="elsewhere")
    assert [task.id for task in await tasks.get_subtasks(parent.id)] == [child.id]
    assert {task.id for task in await tasks.list_tasks(tags=["a"])} == {parent.id, child.id}
    assert [task.id for task in await tasks.list_tasks(queue="elsewhere")] == [other.id]
    assert [task.id for task in await tasks.list_tasks(priority="high")] == [child.id]
    await tasks.start_task(parent.id, HUMAN)
    assert [task.id for task in await tasks.list_tasks(assigned_to="ada")] == [parent.id]
    assert [t.id for t in await tasks.list_tasks(tags=["a"], status="queued")] == [child.id]
    assert len(await tasks.list_tasks(limit=2)) == 2
    stats = await tasks.stats()
    assert (stats.total, stats.by_status) == (3, {"queued": 2, "in_progress": 1})
    with pytest.raises(errors.NotFoundError):
        await tasks.create_subtask("nobody", "child")


async def test_updates_change_what_a_task_is_about() -> None:
    task = await tasks.create_task("plain", title="Old", description="Text")
    changed = await tasks.update_task(task.id, title="New", actor=HUMAN)
    assert (changed.title, changed.description) == ("New", "Text")
    claim = await tasks.claim(worker=AGENT)
    assert claim is not None
    assert claim.title == "New"


async def test_bad_arguments_are_named() -> None:
    bad = errors.InvalidArgumentError
    with pytest.raises(bad, match="no priority; there are low"):
        await tasks.create_task("plain", priority="top")  # type: ignore[arg-type]
    with pytest.raises(bad, match="no function of a task"):
        await tasks.create_task({"nme": "x"})
    with pytest.raises(bad, match="no status; there are pending"):
        await tasks.bulk_update_status(["a"], "done")
    with pytest.raises(bad, match="a worker has an id"):
        await tasks.start_task("a", {"type": "agent"})
    with pytest.raises(errors.NotFoundError):
        await tasks.complete_task("nobody")
    assert await tasks.get_task("nobody") is None
    task = await started()
    with pytest.raises(bad, match="does not tell of a failure"):
        await tasks.fail_task(task.id, 7)
    with pytest.raises(bad, match="an error of a task has a message"):
        await tasks.fail_task(task.id, {"text": "x"})
