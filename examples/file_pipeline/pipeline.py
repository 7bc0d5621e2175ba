"""Uploads the text files of a folder to a directory, each with its title and a summary.

    python -m examples.file_pipeline.pipeline FOLDER TARGET [STORAGE]

STORAGE is a SQLite file (TARGET/pipeline.db when left out) or the endpoint of a coordinator. Start
it several times at once, and the processes share the files; kill any of them, and the others go on;
kill all, run it again, and it goes on where they were. A file that is done is not done again.

Every effect is one that may be repeated: files are written beside their place and moved there.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from perdure.executor import (
    ChildTask,
    DurableExecutor,
    DurableTask,
    DurableTaskError,
    FinalizerInput,
    ParentRun,
    TaskContext,
    TaskExecution,
)


@dataclass(frozen=True)
class Upload:
    """A file and the directory it goes to."""

    path: str
    target: str


@dataclass(frozen=True)
class Uploaded:
    """What came of a file."""

    path: str
    size_bytes: int
    title: str
    summary: str


async def title_of(ctx: TaskContext, path: str) -> str:
    """The first line that says something."""
    note(ctx)
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return next((line.strip("# ") for line in lines if line.strip()), Path(path).stem)


def summary_of(ctx: TaskContext, path: str) -> str:
    """Its length and its beginning; sync code runs in a thread."""
    note(ctx)
    words = Path(path).read_text(encoding="utf-8").split()
    return f"{len(words)} words: {' '.join(words[:8])} ..."


async def store(ctx: TaskContext, done: FinalizerInput) -> Uploaded:
    """Write what is known of the file beside its copy."""
    note(ctx)
    upload: Upload = done.input
    title, summary = (child.output for child in done.children_outputs)
    uploaded = Uploaded(upload.path, done.output, title, summary)
    text = json.dumps(vars(uploaded), indent=2) + "\n"
    put(Path(upload.target) / f"{Path(upload.path).stem}.json", text.encode())
    return uploaded


def check(path: str) -> str:
    """Only text files that are there."""
    if not path.endswith(".txt") or not Path(path).is_file():
        raise DurableTaskError(f"{path} is no text file", is_retryable=False)
    return path


def create_upload(executor: DurableExecutor) -> DurableTask[Upload, Uploaded]:
    """All tasks of the pipeline; gives the one that a file is enqueued with."""
    checked = executor.validate_input(check)
    title = checked.task(id="title", timeout_ms=30_000, run=title_of)
    summary = checked.task(id="summary", timeout_ms=30_000, max_retry_attempts=2, run=summary_of)

    async def upload(ctx: TaskContext, input: Upload) -> ParentRun[int]:
        note(ctx)
        data = Path(input.path).read_bytes()
        put(Path(input.target) / Path(input.path).name, data)
        return ParentRun(len(data), [ChildTask(title, input.path), ChildTask(summary, input.path)])

    return executor.parent_task(
        id="upload",
        timeout_ms=60_000,
        max_retry_attempts=3,
        sleep_ms_before_attempt=lambda attempt: 0 if attempt == 0 else 500 * 2**attempt,
        run_parent=upload,
        on_run_and_children_complete={"id": "store", "timeout_ms": 30_000, "run": store},
    )


def put(place: Path, data: bytes) -> None:
    """Write a file whole: who reads it sees all of it or the one before."""
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    beside.write_bytes(data)
    beside.replace(place)


def note(ctx: TaskContext) -> None:
    """Say in a file that this code runs, when FILE_PIPELINE_LEDGER names one."""
    if ledger := os.environ.get("FILE_PIPELINE_LEDGER"):
        with Path(ledger).open("a", encoding="utf-8") as lines:
            lines.write(f"{ctx.task_id} {ctx.idempotency_key} {os.getpid()}\n")


async def process(folder: Path, target: Path, storage: str) -> list[TaskExecution[Uploaded]]:
    """Upload all files of a folder; returns when the last one is there."""
    target.mkdir(parents=True, exist_ok=True)
    executor = DurableExecutor(storage, max_concurrent_task_executions=8)
    upload = create_upload(executor)
    async with executor:
        handles = []
        for path in sorted(folder.resolve().glob("*.txt")):
            content = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            handles.append(
                await executor.enqueue_task(
                    upload,
                    Upload(str(path), str(target.resolve())),
                    execution_id=f"{path.name} {content}",  # again only when it has changed
                )
            )
        return [await handle.wait_and_get_execution() for handle in handles]


def main(arguments: list[str]) -> int:
    """See the module."""
    if not 2 <= len(arguments) <= 3:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    folder, target = Path(arguments[0]), Path(arguments[1])
    target.mkdir(parents=True, exist_ok=True)
    storage = arguments[2] if len(arguments) == 3 else str(target / "pipeline.db")
    executions = asyncio.run(process(folder, target, storage))
    for execution in executions:
        told = execution.output.title if execution.output else execution.error
        sys.stdout.write(f"{execution.execution_id}: {execution.status}: {told}\n")
    return 0 if all(execution.status == "completed" for execution in executions) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
