"""The event loop of our own processes: uvloop where it is installed (extra `server`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


def real_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What `asyncio.Runner` takes; None means the standard loop."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop
