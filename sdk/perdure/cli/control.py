"""`perdure pause`, `resume` and `delete`: one operation on one execution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.cli.arguments import Endpoint, ExecutionId, Format, Namespace, Output, Token
from perdure.cli.connecting import with_client
from perdure.cli.output import print_fields, print_json

if TYPE_CHECKING:
    from perdure.client.client import Client


def pause(
    id: ExecutionId,
    reason: str = "",
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Park an execution until it is resumed."""

    async def work(client: Client) -> None:
        print_effect(id, "paused", await client.pause(id, reason), output)

    with_client(work, endpoint, namespace, token)


def resume(
    id: ExecutionId,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Let a paused or blocked execution go on."""

    async def work(client: Client) -> None:
        print_effect(id, "resumed", await client.resume(id), output)

    with_client(work, endpoint, namespace, token)


def delete(
    id: ExecutionId,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Forget an execution that has ended."""

    async def work(client: Client) -> None:
        print_effect(id, "deleted", await client.delete(id), output)

    with_client(work, endpoint, namespace, token)


def print_effect(id: str, done: str, effect: bool, output: Format) -> None:
    """What an operation did."""
    if output is Format.JSON:
        print_json({"id": id, "effect": effect})
    else:
        print_fields({id: done if effect else "no effect, it has ended or is so already"})
