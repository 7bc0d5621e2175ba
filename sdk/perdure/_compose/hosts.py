"""The databases that this process hosts: one coordinator for each file, however often it is opened.

Two runtimes of one process, say a notebook's blocking and its asynchronous one, share a coordinator
on its own thread; the last to leave closes it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

from perdure._compose.coordinator import EmbeddedCoordinator
from perdure_coordinator.config import Config

_lock = threading.Lock()
_hosted: dict[Path, _Hosted] = {}


class _Hosted:
    """A coordinator and how many use it."""

    def __init__(self, coordinator: EmbeddedCoordinator) -> None:
        self.coordinator = coordinator
        self.users = 1


async def host(database: str, path: Path, config: Config) -> EmbeddedCoordinator:
    """Host a file in this process, or join who does so here already.

    Args:
        path: of the file, absolute and without symbolic links.
        config: of the engine, if this process does not host the file already.

    Raises:
        DatabaseInUseError: another process has its lock.
        SchemaVersionError, StoreError: as `open_store`.
    """
    opening = asyncio.get_running_loop().run_in_executor(None, _host, database, path, config)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(
            lambda done: None if done.exception() else _leave_soon(done.result(), path)
        )
        raise


async def leave(coordinator: EmbeddedCoordinator, path: Path) -> None:
    """Use it no longer; the last one closes it."""
    await asyncio.get_running_loop().run_in_executor(None, _leave, coordinator, path)


def _host(database: str, path: Path, config: Config) -> EmbeddedCoordinator:
    with _lock:
        hosted = _hosted.get(path)
        if hosted is not None and hosted.coordinator.alive:
            hosted.users += 1
            return hosted.coordinator
        coordinator = EmbeddedCoordinator(database, config, share=True)
        coordinator.open_blocking()
        _hosted[path] = _Hosted(coordinator)
        return coordinator


def _leave(coordinator: EmbeddedCoordinator, path: Path) -> None:
    with _lock:
        hosted = _hosted.get(path)
        if hosted is None or hosted.coordinator is not coordinator:
            return  # it died, or this is a forked child
        hosted.users -= 1
        if hosted.users == 0:
            del _hosted[path]
            coordinator.close_blocking()


def _leave_soon(coordinator: EmbeddedCoordinator, path: Path) -> None:
    threading.Thread(target=_leave, args=(coordinator, path), name="perdure-close").start()


def _forget_all() -> None:
    global _lock
    _lock = threading.Lock()
    _hosted.clear()


os.register_at_fork(after_in_child=_forget_all)
