"""`perdure retry`: a new attempt of an execution that failed or is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.arguments import (
    Endpoint,
    ExecutionId,
    Format,
    Namespace,
    Output,
    Token,
    parse_json,
)
from perdure.cli.connecting import with_client
from perdure.cli.control import print_effect
from perdure.cli.failures import failures_shown

if TYPE_CHECKING:
    from perdure.client.client import Client

NewInput = Annotated[
    str | None, typer.Option("--input", help="JSON instead of the old input.", show_default=False)
]


def retry(
    id: ExecutionId,
    input: NewInput = None,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Start a new attempt of a failed, timed out, paused or blocked execution."""
    with failures_shown():
        changes = {} if input is None else {"input": parse_json(input, "--input")}

    async def work(client: Client) -> None:
        print_effect(id, "queued for a new attempt", await client.retry(id, **changes), output)

    with_client(work, endpoint, namespace, token)
