"""The users' example of the durable executor, line by line in Python.

Their own program enqueues `upload_file` without the `upload_url` that its schema asks for, so it is
refused; `app` takes the input as an argument.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from perdure.executor import (
    DurableExecutor,
    DurableTask,
    FinalizerInput,
    TaskContext,
    TaskExecution,
)

SEED_INPUT: Final = {"file_path": "file.txt"}
INPUT: Final = {"file_path": "file.txt", "upload_url": "https://files.example/upload"}
OUTPUT: Final = {
    "file_path": "file.txt",
    "upload_url": "https://files.example/upload",
    "file_size": 100,
    "title": "File Title",
    "summary": "File summary",
}


class FilePath(BaseModel):
    file_path: str


class Upload(BaseModel):
    file_path: str
    upload_url: str


def is_valid_file_path(file_path: str) -> bool:
    return file_path.endswith(".txt")


@dataclass(frozen=True)
class SeedTasks:
    extract_file_title: DurableTask[Any, dict[str, str]]
    summarize_file: DurableTask[dict[str, str], dict[str, str]]
    upload_file: DurableTask[Any, Any]


def create_tasks(executor: DurableExecutor) -> SeedTasks:
    # Create tasks
    async def extract(ctx: TaskContext, input: FilePath) -> dict[str, str]:
        # ... extract the file title
        return {"title": "File Title"}

    extract_file_title = executor.input_schema(FilePath).task(
        id="extractFileTitle",
        timeout_ms=30_000,  # 30 seconds
        run=extract,
    )

    async def validate(input: dict[str, str]) -> dict[str, str]:
        if not is_valid_file_path(input["file_path"]):
            raise ValueError("Invalid file path")
        return {"file_path": input["file_path"]}

    async def summarize(ctx: TaskContext, input: dict[str, str]) -> dict[str, str]:
        # ... summarize the file
        return {"summary": "File summary"}

    summarize_file = executor.validate_input(validate).task(
        id="summarizeFile",
        timeout_ms=30_000,  # 30 seconds
        run=summarize,
    )

    async def run_parent(ctx: TaskContext, input: Upload) -> dict[str, Any]:
        # ... upload file to the given upload_url
        # Extract the file title and summarize the file in parallel
        return {
            "output": {
                "file_path": input.file_path,
                "upload_url": input.upload_url,
                "file_size": 100,
            },
            "children": [
                {"task": extract_file_title, "input": {"file_path": input.file_path}},
                {"task": summarize_file, "input": {"file_path": input.file_path}},
            ],
        }

    async def combine(ctx: TaskContext, done: FinalizerInput) -> dict[str, Any]:
        # ... combine the output of the run function and children tasks
        title, summary = done.children_outputs
        return {**done.output, **title.output, **summary.output}

    upload_file = executor.input_schema(Upload).parent_task(
        id="uploadFile",
        timeout_ms=60_000,  # 1 minute
        run_parent=run_parent,
        on_run_and_children_complete={
            "id": "onUploadFileAndChildrenComplete",
            "timeout_ms": 60_000,  # 1 minute
            "run": combine,
        },
    )
    return SeedTasks(extract_file_title, summarize_file, upload_file)


async def app(
    executor: DurableExecutor, upload_file: DurableTask[Any, Any], input: dict[str, str]
) -> tuple[TaskExecution[Any], TaskExecution[Any]]:
    # Enqueue task and manage its execution lifecycle
    upload_file_handle = await executor.enqueue_task(upload_file, input)
    upload_file_execution = await upload_file_handle.get_execution()
    upload_file_finished_execution = await upload_file_handle.wait_and_get_execution()
    await upload_file_handle.cancel()
    return upload_file_execution, upload_file_finished_execution


async def program(
    executor: DurableExecutor, input: dict[str, str]
) -> tuple[TaskExecution[Any], TaskExecution[Any]]:
    tasks = create_tasks(executor)

    # Start the durable executor and run the app
    executions: tuple[TaskExecution[Any], TaskExecution[Any]]
    try:
        _, executions = await asyncio.gather(
            executor.start(),  # Start the durable executor in the background
            app(executor, tasks.upload_file, input),  # Run the app
        )
    finally:
        # Shutdown the durable executor when the app is done
        await executor.shutdown()
    return executions
