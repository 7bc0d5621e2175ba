"""`perdure pause`, `resume` and `delete`: one operation on some executions."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def pause(
    ids: Ids = None,
    status: OfStatus = None,
    service: OfService = "",
    function: OfFunction = "",
    prefix: IdPrefix = "",
    label: Labels = None,
    yes: Yes = False,
    reason: str = "",
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Park executions until they are resumed."""
    with failures_shown():
        selected = Selected(ids, status, service, function, prefix, yes, label)

    async def work(client: Client) -> int:
        return await apply(client, "pause", selected, "paused", output, reason=reason)

    with_client(work, endpoint, namespace, token)


def resume(
    ids: Ids = None,
    status: OfStatus = None,
    service: OfService = "",
    function: OfFunction = "",
    prefix: IdPrefix = "",
    label: Labels = None,
    yes: Yes = False,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Let paused or blocked executions go on."""
    with failures_shown():
        selected = Selected(ids, status, service, function, prefix, yes, label)

    async def work(client: Client) -> int:
        return await apply(client, "resume", selected, "resumed", output)

    with_client(work, endpoint, namespace, token)


def delete(
    ids: Ids = None,
    status: OfStatus = None,
    service: OfService = "",
    function: OfFunction = "",
    prefix: IdPrefix = "",
    label: Labels = None,
    yes: Yes = False,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Forget executions that have ended."""
    with failures_shown():
        selected = Selected(ids, status, service, function, prefix, yes, label)

    async def work(client: Client) -> int:
        return await apply(client, "delete", selected, "deleted", output)

    with_client(work, endpoint, namespace, token)
