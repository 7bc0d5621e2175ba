"""`perdure run`: start an execution, show its progress, print its result."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from perdure.cli.arguments import (
    Delay,
    Endpoint,
    Format,
    FunctionName,
    Input,
    Namespace,
    NewId,
    Output,
    Priority,
    ServiceName,
    Timeout,
    Token,
    parse_json,
)
from perdure.cli.connecting import with_client
from perdure.cli.failures import failures_shown
from perdure.cli.waiting import show_outcome

if TYPE_CHECKING:
    from perdure.client.client import Client


def run(
    service: ServiceName,
    function: FunctionName,
    input: Input = "null",
    id: NewId = None,
    priority: Priority = 0,
    delay: Delay = None,
    timeout: Timeout = None,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Start an execution and wait for its result; Ctrl-C leaves it running."""
    with failures_shown():
        payload = parse_json(input)
    known_id = id or uuid4().hex

    async def work(client: Client) -> int:
        handle = await client.start(
            service, function, payload, id=known_id, priority=priority, delay=delay, timeout=timeout
        )
        return await show_outcome(handle, output)

    goes_on = f"interrupted; execution {known_id} goes on: `perdure result {known_id}`"
    with_client(work, endpoint, namespace, token, interrupted=goes_on)
