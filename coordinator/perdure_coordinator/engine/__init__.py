"""The coordinator's engine: one loop that applies requests to executions and commits in groups.

It moves requests, time and rows; every rule is in `perdure_runtime.core`.
"""

from __future__ import annotations

from perdure_coordinator.engine.engine import Engine
from perdure_coordinator.engine.sessions import SessionPort

__all__ = ["Engine", "SessionPort"]
