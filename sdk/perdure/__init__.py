"""Perdure: ordinary async Python functions that survive crashes.

Everything public is here and is loaded at its first use, so that `import perdure` stays cheap:
neither gRPC nor the coordinator is imported.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perdure import durable, sync
    from perdure.client.client import Client
    from perdure.client.connection import connect
    from perdure.client.handle import ExecutionHandle
    from perdure.client.history import HistoryEntry
    from perdure.client.query import ExecutionInfo
    from perdure.context import DurableContext, ctx, resources
    from perdure.decorators import task, workflow
    from perdure.embedding import embedded
    from perdure.objects.base import DurableObject
    from perdure.options import RateLimit, RetryPolicy
    from perdure.service import Service
    from perdure_runtime.core.errors import (
        AlreadyExistsError,
        ApplicationError,
        CallError,
        CallTimeoutError,
        CompensationError,
        CoordinatorUnavailableError,
        DeadlockError,
        ExecutionCancelledError,
        ExecutionFailed,
        ExecutionTimedOut,
        NonRetryableError,
        NotFoundError,
        PerdureError,
        ReentrancyError,
        SerializationError,
        ServiceUnavailableError,
        StepError,
        StepInterrupted,
    )

_ERRORS = "perdure_runtime.core.errors"
_HOMES = {
    "AlreadyExistsError": _ERRORS,
    "ApplicationError": _ERRORS,
    "CallError": _ERRORS,
    "CallTimeoutError": _ERRORS,
    "CompensationError": _ERRORS,
    "Client": "perdure.client.client",
    "CoordinatorUnavailableError": _ERRORS,
    "DeadlockError": _ERRORS,
    "DurableContext": "perdure.context",
    "DurableObject": "perdure.objects.base",
    "EventTimeoutError": _ERRORS,
    "ExecutionCancelledError": _ERRORS,
    "ExecutionFailed": _ERRORS,
    "ExecutionHandle": "perdure.client.handle",
    "ExecutionInfo": "perdure.client.query",
    "ExecutionTimedOut": _ERRORS,
    "HistoryEntry": "perdure.client.history",
    "NonRetryableError": _ERRORS,
    "NotFoundError": _ERRORS,
    "PerdureError": _ERRORS,
    "ReentrancyError": _ERRORS,
    "RateLimit": "perdure.options",
    "RetryPolicy": "perdure.options",
    "SerializationError": _ERRORS,
    "Service": "perdure.service",
    "ServiceUnavailableError": _ERRORS,
    "StepError": _ERRORS,
    "StepInterrupted": _ERRORS,
    "connect": "perdure.client.connection",
    "ctx": "perdure.context",
    "durable": "",
    "embedded": "perdure.embedding",
    "resources": "perdure.context",
    "sync": "",
    "task": "perdure.decorators",
    "workflow": "perdure.decorators",
}

__all__ = [
    "AlreadyExistsError",
    "ApplicationError",
    "CallError",
    "CallTimeoutError",
    "Client",
    "CompensationError",
    "CoordinatorUnavailableError",
    "DeadlockError",
    "DurableContext",
    "DurableObject",
    "EventTimeoutError",
    "ExecutionCancelledError",
    "ExecutionFailed",
    "ExecutionHandle",
    "ExecutionInfo",
    "ExecutionTimedOut",
    "HistoryEntry",
    "NonRetryableError",
    "NotFoundError",
    "PerdureError",
    "RateLimit",
    "ReentrancyError",
    "RetryPolicy",
    "SerializationError",
    "Service",
    "ServiceUnavailableError",
    "StepError",
    "StepInterrupted",
    "connect",
    "ctx",
    "durable",
    "embedded",
    "resources",
    "sync",
    "task",
    "workflow",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'perdure' has no attribute {name!r}")
    value = getattr(import_module(home), name) if home else import_module(f"perdure.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
