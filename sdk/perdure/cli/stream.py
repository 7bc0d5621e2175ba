"""`perdure stream`: the values that an execution emits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.arguments import Endpoint, ExecutionId, Namespace, Token
from perdure.cli.connecting import with_client
from perdure.cli.output import print_json

if TYPE_CHECKING:
    from perdure.client.client import Client

FromIndex = Annotated[int, typer.Option("--from", min=0, help="Values to leave out.")]
Follow = Annotated[bool, typer.Option(help="Go on with new values until it ends.")]


def stream(
    id: ExecutionId,
    from_index: FromIndex = 0,
    follow: Follow = True,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
) -> None:
    """Print the values that an execution emits, one JSON document a line, as they come."""

    async def work(client: Client) -> None:
        async for value in client.get(id).stream(from_index=from_index, follow=follow):
            print_json(value)

    with_client(work, endpoint, namespace, token)
