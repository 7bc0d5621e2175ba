"""The `durable` namespace: what users write their definitions with.

`from perdure import durable`, then `@durable.step`, `@durable.function`, `@durable.flow`,
`@durable.object`, `durable.service(...)` and `durable.get_worker(...)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.decorators import flow, function, step
from perdure.objects.decorator import durable_object as object  # noqa: A004 - what users type
from perdure.objects.decorator import shared
from perdure.service import service

if TYPE_CHECKING:
    from perdure.worker.worker import get_worker

__all__ = ["flow", "function", "get_worker", "object", "service", "shared", "step"]


def __getattr__(name: str) -> Any:
    """Load the worker, and gRPC with it, only for those who ask for one."""
    if name == "get_worker":
        from perdure.worker.worker import get_worker

        return get_worker
    raise AttributeError(f"`durable` has no {name!r}; it has {', '.join(__all__)}")
