"""`perdure cancel`: ask an execution to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.arguments import Endpoint, ExecutionId, Format, Namespace, Output, Token
from perdure.cli.connecting import with_client
from perdure.cli.control import print_effect

if TYPE_CHECKING:
    from perdure.client.client import Client

Reason = Annotated[str, typer.Option(help="Shown to the body and in the history.")]


def cancel(
    id: ExecutionId,
    reason: Reason = "",
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Ask an execution to stop; its `finally` blocks still run."""

    async def work(client: Client) -> None:
        print_effect(id, "cancel requested", await client.cancel(id, reason), output)

    with_client(work, endpoint, namespace, token)
