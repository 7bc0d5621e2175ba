"""`perdure list`: the executions of a namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.arguments import (
    Endpoint,
    Format,
    Labels,
    Namespace,
    Output,
    Token,
    parse_labels,
)
from perdure.cli.connecting import with_client
from perdure.cli.failures import failures_shown
from perdure.cli.output import print_json, print_table

if TYPE_CHECKING:
    from perdure.client.client import Client

Statuses = Annotated[
    list[str] | None, typer.Option("--status", help="Only these; may be given several times.")
]
OfService = Annotated[str, typer.Option("--service", help="Only of this service.")]
OfFunction = Annotated[str, typer.Option("--function", help="Only of this function.")]
IdPrefix = Annotated[str, typer.Option("--prefix", help="Only ids that begin with this.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]


def list_executions(
    status: Statuses = None,
    service: OfService = "",
    function: OfFunction = "",
    prefix: IdPrefix = "",
    label: Labels = None,
    limit: Limit = 50,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """List executions, newest first."""
    with failures_shown():
        labels = parse_labels(label)

    async def work(client: Client) -> None:
        found = client.list(
            status=status or None,
            service=service,
            method=function,
            id_prefix=prefix,
            labels=labels,
            limit=limit,
        )
        items = [info async for info in found]
        if output is Format.JSON:
            print_json(items)
            return
        rows = [
            (
                info.id,
                info.target,
                info.task_status or info.status,
                info.attempt,
                info.created,
                info.error or info.detail or info.waiting_for or info.assigned_to,
            )
            for info in items
        ]
        print_table(("ID", "TARGET", "STATUS", "ATTEMPT", "CREATED", "DETAIL"), rows)

    with_client(work, endpoint, namespace, token)
