"""`perdure retry`: a new attempt of executions that failed or are held."""

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
    parse_json,
)
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

NewInput = Annotated[
    str | None, typer.Option("--input", help="JSON instead of the old input.", show_default=False)
]


def retry(
    ids: Ids = None,
    status: OfStatus = None,
    service: OfService = "",
    function: OfFunction = "",
    prefix: IdPrefix = "",
    label: Labels = None,
    yes: Yes = False,
    input: NewInput = None,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Start a new attempt of failed, timed out, paused or blocked executions."""
    with failures_shown():
        selected = Selected(ids, status, service, function, prefix, yes, label)
        changes = {} if input is None else {"input": parse_json(input, "--input")}

    async def work(client: Client) -> int:
        return await apply(client, "retry", selected, "queued for a new attempt", output, **changes)

    with_client(work, endpoint, namespace, token)
