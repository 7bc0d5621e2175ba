"""`perdure cancel`: ask executions to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.arguments import Endpoint, Format, Labels, Namespace, Output, Token
from perdure.cli.connecting import with_client
from perdure.cli.failures import failures_shown
from perdure.cli.selecting import (
    IdPrefix,
    Ids,
    OfFunction,
    OfService,
    OfStatus,
    Selected,
    Yes,
    apply,
)

if TYPE_CHECKING:
    from perdure.client.client import Client

Reason = Annotated[str, typer.Option(help="Shown to the body and in the history.")]


def cancel(
    ids: Ids = None,
    status: OfStatus = None,
    service: OfService = "",
    function: OfFunction = "",
    prefix: IdPrefix = "",
    label: Labels = None,
    yes: Yes = False,
    reason: Reason = "",
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Ask executions to stop; their `finally` blocks still run."""
    with failures_shown():
        selected = Selected(ids, status, service, function, prefix, yes, label)

    async def work(client: Client) -> int:
        return await apply(client, "cancel", selected, "cancel requested", output, reason=reason)

    with_client(work, endpoint, namespace, token)
