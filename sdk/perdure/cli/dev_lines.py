"""What `perdure dev` tells of executions, line by line, and how it helps blocked ones.

An execution that a change of code has blocked is replayed with the new code by the coordinator, as
soon as the new worker is there. If it is blocked still, it gets a new attempt here, once for each
change of code: recorded successes are reused (semantics, sections 2 and 4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from perdure_runtime.core.errors import PerdureError
from perdure_runtime.core.lifecycle import Status, is_end

if TYPE_CHECKING:
    from perdure.client.client import Client
    from perdure.client.query import ExecutionInfo

PERIOD_S: Final = 0.25
NEWEST: Final = 200
_QUIET: Final = (Status.QUEUED, Status.RUNNING, Status.SUSPENDED)  # on their way from one another


class LiveLines:
    """Looks at the newest executions and tells what has become of them.

    Args:
        say: takes a line.
    """

    def __init__(self, client: Client, say: Callable[[str], None]) -> None:
        self._client = client
        self._say = say
        self._since = datetime.now(UTC)
        self._known: dict[str, tuple[Status, int]] = {}
        self._blocked: set[str] = set()  # blocked at the last look too, with this code's worker
        self._helped: set[str] = set()

    def code_changed(self) -> None:
        """A worker with other code is being started: blocked executions get another chance."""
        self._helped.clear()
        self._blocked.clear()

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(PERIOD_S)

    async def look(self) -> None:
        """Tell what is new."""
        found = [info async for info in self._client.list(limit=NEWEST)]
        for info in reversed(found):
            if info.parent_id:
                continue
            state = (info.status, info.attempt)
            if self._known.get(info.id) != state:
                self._tell(info, self._known.get(info.id))
                self._known[info.id] = state
        await self._help([info for info in found if info.status is Status.BLOCKED])

    def _tell(self, info: ExecutionInfo, before: tuple[Status, int] | None) -> None:
        was = before[0] if before is not None else None
        if info.status in _QUIET and was in _QUIET:
            return
        if was is None and is_end(info.status) and info.created < self._since:
            return  # of an earlier session
        at = datetime.now().astimezone().strftime("%H:%M:%S")
        self._say(f"{at}  {info.id[:36]:36}  {info.target:24}  {_words(info, was)}")

    async def _help(self, blocked: list[ExecutionInfo]) -> None:
        """Retry what is blocked at two looks in a row while a worker is there."""
        ids = {info.id for info in blocked}
        if ids - self._helped and not await self._client.workers():
            ids = set()
        for id in sorted(ids & self._blocked - self._helped):
            self._helped.add(id)
            try:
                await self._client.retry(id)
            except PerdureError:  # it went on by itself
                continue
            self._say(f"          {id[:36]:36}  retried with the code as it is now")
        self._blocked = ids


def _words(info: ExecutionInfo, was: Status | None) -> str:
    text = str(info.status)
    if info.status in _QUIET:
        text = "started" if was is None and info.attempt <= 1 else "goes on"
    if info.attempt > 1:
        text += f", attempt {info.attempt}"
    if is_end(info.status) and info.finished is not None:
        text += f" after {(info.finished - info.created).total_seconds():.2f} s"
    why = info.error or (info.detail if info.status not in _QUIET else "")
    if why:
        text += ": " + " ".join(why.split())[:300]
    return text
