"""What a running step has recorded of its progress, and what earlier runs of it had."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from perdure_runtime.core.limits import check_payload_bytes
from perdure_runtime.core.messages import Progress
from perdure_runtime.core.payload import Payload
from perdure_runtime.serde import Serializers

Send = Callable[[str, Payload], "asyncio.Future[None]"]


class StepNotes:
    """Made by the worker for each run of a step or handler.

    Args:
        left: what earlier runs have recorded.
        send: asks for a checkpoint; the future is done when it is on disk.
        progress: the last one of the execution, when the run began.
    """

    def __init__(
        self,
        left: Mapping[str, Payload],
        send: Send,
        serializers: Serializers,
        progress: Progress | None,
    ) -> None:
        self.progress = progress
        self._left = dict(left)
        self._send = send
        self._serializers = serializers

    def values(self) -> dict[str, Any]:
        """All of them, decoded."""
        decode = self._serializers.decode
        return {key: decode(value, what=f"checkpoint {key!r}") for key, value in self._left.items()}

    async def record(self, key: str, value: Any) -> None:
        """Record one; returns when it is on disk."""
        payload = self._serializers.encode(value, what=f"checkpoint {key!r}")
        check_payload_bytes(f"checkpoint {key!r}", len(payload.data))
        await self._send(key, payload)
        self._left[key] = payload
