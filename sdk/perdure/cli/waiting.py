"""Waiting for an execution in front of a person: progress on stderr, the outcome on stdout.

Both are pushed. The status also tells what only an operator can end: an execution that is paused or
blocked.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from perdure.cli.arguments import Format
from perdure.cli.failures import ExitCode, exit_code, tell
from perdure.cli.output import print_json, print_value
from perdure_runtime.core.errors import (
    ExecutionCancelledError,
    ExecutionFailed,
    ExecutionTimedOut,
    PerdureError,
)
from perdure_runtime.core.lifecycle import Status

if TYPE_CHECKING:
    from perdure.client.handle import ExecutionHandle
    from perdure.client.query import ExecutionInfo

Show = Callable[[str], None]


async def show_outcome(
    handle: ExecutionHandle[Any], output: Format, timeout: float | None = None
) -> int:
    """Wait for the end, print it, and return the exit code.

    Raises:
        NotFoundError: there is no such execution.
        TimeoutError: the timeout is over; the execution goes on.
    """
    waiting = asyncio.ensure_future(handle.result(timeout))
    with _progress() as show:
        looking = asyncio.ensure_future(_look(handle, show))
        try:
            await asyncio.wait((waiting, looking), return_when=asyncio.FIRST_COMPLETED)
            held = None
            if not waiting.done():
                held = looking.result()
        finally:
            looking.cancel()
            if not waiting.done():
                waiting.cancel()
    if held is not None:
        return _show_held(held, output)
    try:
        result = waiting.result()
    except (ExecutionFailed, ExecutionCancelledError, ExecutionTimedOut) as error:
        return _show_failure(handle.id, error, output)
    if output is Format.JSON:
        print_json({"id": handle.id, "status": Status.COMPLETED, "result": result})
    else:
        print_value(result)
    return ExitCode.DONE


def progress_line(info: ExecutionInfo) -> str:
    """What an execution is doing, in one line."""
    parts = [str(info.status)]
    if info.attempt > 1:
        parts.append(f"attempt {info.attempt}")
    if info.progress is not None:
        total = "" if info.progress.total is None else f"/{info.progress.total:g}"
        parts.append(f"{info.progress.done:g}{total} {info.progress.message}".rstrip())
    parts.append(f"{info.journal_length} entries")
    if info.waiting_for:
        parts.append(f"waiting for {', '.join(info.waiting_for)}")
    if info.detail:
        parts.append(info.detail)
    return " · ".join(parts)


async def _look(handle: ExecutionHandle[Any], show: Show) -> ExecutionInfo:
    """Show what goes on until somebody has to do something about it."""
    async for info in handle.watch():
        show(f"{info.target} {handle.id}: {progress_line(info)}")
        if info.status in (Status.PAUSED, Status.BLOCKED):
            return info
    outcome_follows: asyncio.Future[ExecutionInfo] = asyncio.get_running_loop().create_future()
    return await outcome_follows


@contextmanager
def _progress() -> Iterator[Show]:
    """A line on stderr that follows the execution; nothing where nobody looks."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status("") as status:
        yield lambda text: status.update(escape(text))


def _show_held(info: ExecutionInfo, output: Format) -> int:
    if output is Format.JSON:
        print_json({"id": info.id, "status": info.status, "detail": info.detail})
    why = f": {info.detail or info.error}" if info.detail or info.error else ""
    tell(
        f"execution {info.id} is {info.status}{why}; `perdure resume {info.id}` lets it go on, "
        f"`perdure retry {info.id}` starts a new attempt, `perdure cancel {info.id}` ends it"
    )
    return ExitCode.HELD


def _show_failure(id: str, error: PerdureError, output: Format) -> int:
    code = exit_code(error)
    status = {ExitCode.CANCELLED: Status.CANCELLED, ExitCode.TIMED_OUT: Status.TIMED_OUT}.get(
        code, Status.FAILED
    )
    type_name = getattr(error, "type_name", "")
    if output is Format.JSON:
        told = {
            "type": type_name,
            "message": str(error),
            "details": getattr(error, "details", None),
            "traceback": getattr(error, "traceback_text", ""),
        }
        print_json({"id": id, "status": status, "error": told})
    named = f"{type_name}: {error}" if type_name else str(error)
    tell(f"execution {id} is {status}: {named}")
    return code
