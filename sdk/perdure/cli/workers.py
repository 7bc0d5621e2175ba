"""`perdure workers`: the workers that are connected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.cli.arguments import Endpoint, Format, Namespace, Output, Token
from perdure.cli.connecting import with_client
from perdure.cli.output import print_json, print_table

if TYPE_CHECKING:
    from perdure.client.client import Client


def workers(
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """List the connected workers."""

    async def work(client: Client) -> None:
        found = await client.workers()
        if output is Format.JSON:
            print_json(found)
            return
        rows = [
            (each.worker_id, each.services, f"{each.active}/{each.slots}", each.cached)
            for each in found
        ]
        print_table(("WORKER", "SERVICES", "ACTIVE", "CACHED"), rows)

    with_client(work, endpoint, namespace, token)
