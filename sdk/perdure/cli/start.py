"""`perdure start`: start an execution and print its id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.cli.arguments import (
    Delay,
    Endpoint,
    Format,
    FunctionName,
    Input,
    Labels,
    Namespace,
    NewId,
    Output,
    Priority,
    ServiceName,
    StartAt,
    Timeout,
    Token,
    parse_json,
    parse_labels,
    parse_time,
)
from perdure.cli.connecting import with_client
from perdure.cli.failures import failures_shown
from perdure.cli.output import print_fields, print_json

if TYPE_CHECKING:
    from perdure.client.client import Client


def start(
    service: ServiceName,
    function: FunctionName,
    input: Input = "null",
    id: NewId = None,
    priority: Priority = 0,
    delay: Delay = None,
    start_at: StartAt = None,
    timeout: Timeout = None,
    label: Labels = None,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Start an execution and return when the start is on disk."""
    with failures_shown():
        payload = parse_json(input)
        labels = parse_labels(label)
        when = None if start_at is None else parse_time(start_at, "--start-at")

    async def work(client: Client) -> None:
        handle = await client.start(
            service,
            function,
            payload,
            id=id,
            priority=priority,
            delay=delay,
            start_at=when,
            timeout=timeout,
            labels=labels,
        )
        if output is Format.JSON:
            print_json({"id": handle.id, "created": handle.created})
        elif handle.created:
            print_fields({"started": handle.id})
        else:
            print_fields({"attached": handle.id})

    with_client(work, endpoint, namespace, token)
