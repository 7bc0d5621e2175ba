"""`perdure result`: wait for an execution and print its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.arguments import Endpoint, ExecutionId, Format, Namespace, Output, Token
from perdure.cli.connecting import with_client
from perdure.cli.waiting import show_outcome

if TYPE_CHECKING:
    from perdure.client.client import Client

WaitSeconds = Annotated[
    float | None, typer.Option("--timeout", help="Seconds to wait.", show_default="for ever")
]


def result(
    id: ExecutionId,
    timeout: WaitSeconds = None,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Wait for the end of an execution and print its result; Ctrl-C leaves it running."""

    async def work(client: Client) -> int:
        return await show_outcome(client.get(id), output, timeout)

    goes_on = f"interrupted; execution {id} goes on: `perdure result {id}`"
    with_client(work, endpoint, namespace, token, interrupted=goes_on)
