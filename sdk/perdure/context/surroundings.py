"""What the commands of one execution share: its body, its definition's options, its serializers.

The contexts of an execution and of its branches each hold one; it issues nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perdure.context.on_cancel import CancelHooks
from perdure.options import Options
from perdure_runtime.serde import Serializers, Signature

if TYPE_CHECKING:
    from perdure_runtime.driver import Body


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Given by the worker.

    Args:
        body: issues commands.
        options: of the definition whose code runs.
        spawn_limit: how many branches one spawn runs at a time, None for all.
        signature: of the body, for the input of its next run.
        cancel_hooks: run when the execution is cancelled.
    """

    body: Body
    options: Options
    serializers: Serializers
    spawn_limit: int | None = None
    signature: Signature | None = None
    cancel_hooks: CancelHooks = field(default_factory=CancelHooks)
