"""`perdure health`: whether the coordinator answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.cli.arguments import Endpoint, Format, Output, Token
from perdure.cli.connecting import with_client
from perdure.cli.output import print_fields, print_json

if TYPE_CHECKING:
    from perdure.client.client import Client


def health(endpoint: Endpoint = None, token: Token = None, output: Output = Format.TABLE) -> None:
    """Ask the coordinator how it is."""

    async def work(client: Client) -> None:
        answer = await client.health()
        if output is Format.JSON:
            stats = await client.transport.stats()
            print_json({**answer, "stats": dict(sorted(stats.items()))})
        else:
            print_fields(dict(answer))

    with_client(work, endpoint, None, token)
