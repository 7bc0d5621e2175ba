"""`perdure show`: everything known about one execution."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from perdure.cli.arguments import Endpoint, ExecutionId, Format, Namespace, Output, Token
from perdure.cli.connecting import with_client
from perdure.cli.output import print_fields, print_json

if TYPE_CHECKING:
    from perdure.client.client import Client


def show(
    id: ExecutionId,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Show the status of an execution and what it is doing."""

    async def work(client: Client) -> None:
        info = await client.get(id).describe()
        if output is Format.JSON:
            print_json(info)
            return
        shown = {field.name: getattr(info, field.name) for field in fields(info)}
        if info.progress is not None:
            total = "" if info.progress.total is None else f" of {info.progress.total:g}"
            shown["progress"] = f"{info.progress.done:g}{total} {info.progress.message}".rstrip()
        print_fields({name.replace("_", " "): value for name, value in shown.items()})

    with_client(work, endpoint, namespace, token)
