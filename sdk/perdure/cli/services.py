"""`perdure services`: what the services of a namespace offer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.cli.arguments import Endpoint, Format, Namespace, Output, Token
from perdure.cli.connecting import with_client
from perdure.cli.output import print_json, print_table

if TYPE_CHECKING:
    from perdure.client.client import Client


def services(
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """List the methods that services have registered, and how many workers offer each now."""

    async def work(client: Client) -> None:
        found = await client.services()
        if output is Format.JSON:
            print_json(found)
            return
        rows = [
            (each.service, each.method, each.kind, each.version, each.workers) for each in found
        ]
        print_table(("SERVICE", "METHOD", "KIND", "VERSION", "WORKERS"), rows)

    with_client(work, endpoint, namespace, token)
