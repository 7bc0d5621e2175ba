"""`perdure fork`: a new execution that begins with a part of another's history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.arguments import Endpoint, ExecutionId, Format, Namespace, Output, Token
from perdure.cli.connecting import with_client
from perdure.cli.output import print_fields, print_json

if TYPE_CHECKING:
    from perdure.client.client import Client

At = Annotated[
    str, typer.Option("--at", help="Path of the command that is issued anew; see `history`.")
]
ForkId = Annotated[
    str | None, typer.Option("--new-id", help="Of the fork.", show_default="made up")
]


def fork(
    id: ExecutionId,
    at: At,
    new_id: ForkId = None,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Start a new execution with what another did before a command completed."""

    async def work(client: Client) -> None:
        handle = await client.fork(id, at=at, new_id=new_id)
        if output is Format.JSON:
            print_json({"id": handle.id})
        else:
            print_fields({"forked": handle.id})

    with_client(work, endpoint, namespace, token)
