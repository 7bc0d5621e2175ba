"""Ids of executions that a step's body starts by calling durable functions.

They derive from the step's idempotency key, so that a step that runs again after a crash attaches
to what it had started instead of starting it twice (semantics, section 5).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from perdure_runtime.core.entries import Target
from perdure_runtime.core.ids import command_key
from perdure_runtime.core.payload import Payload

if TYPE_CHECKING:
    from perdure.context.step_context import StepContext

_seen: Final[WeakKeyDictionary[StepContext, Counter[tuple[str, bytes]]]] = WeakKeyDictionary()


def id_in_step(step: StepContext, target: Target, payload: Payload) -> str:
    """The id of the n-th start of a target with one input in this try of a step."""
    seen = _seen.setdefault(step, Counter())
    what = (target.name(), payload.digest)
    seen[what] += 1
    scope = bytes.fromhex(step.idempotency_key)
    return command_key(scope, "start", *what, occurrence=seen[what]).hex()
