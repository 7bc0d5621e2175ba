"""`perdure event` and `perdure promise`: tell waiting executions something from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.arguments import Endpoint, Format, Input, Namespace, Output, Token, parse_json
from perdure.cli.connecting import with_client
from perdure.cli.failures import failures_shown
from perdure.cli.output import print_fields, print_json

if TYPE_CHECKING:
    from perdure.client.client import Client

EventId = Annotated[str, typer.Argument(metavar="ID", help="Of the event.")]
Execution = Annotated[
    str | None, typer.Option(help="Send it to this execution only.", show_default="all that wait")
]
DedupeId = Annotated[
    str | None, typer.Option("--dedupe-id", help="A second one is ignored.", show_default=False)
]
PromiseToken = Annotated[str, typer.Argument(metavar="TOKEN", help="What the promise's token is.")]
Message = Annotated[str, typer.Argument(metavar="MESSAGE", help="What went wrong.")]

promises = typer.Typer(no_args_is_help=True, help="Settle a promise of an execution by its token.")


def event(
    id: EventId,
    payload: Input = "null",
    execution: Execution = None,
    dedupe_id: DedupeId = None,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Send an event to whoever waits for it, now or later."""
    with failures_shown():
        value = parse_json(payload, "the event")

    async def work(client: Client) -> None:
        await client.send_event(id, value, dedupe_id, execution=execution)
        if output is Format.JSON:
            print_json({"id": id, "sent": True})
        else:
            print_fields({id: "sent"})

    with_client(work, endpoint, namespace, token)


@promises.command()
def complete(
    promise: PromiseToken,
    value: Input = "null",
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Give a promise its value."""
    with failures_shown():
        result = parse_json(value, "the value")

    async def work(client: Client) -> None:
        _print_settled(await client.complete_promise(promise, result), output)

    with_client(work, endpoint, namespace, token)


@promises.command()
def fail(
    promise: PromiseToken,
    message: Message,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Let a promise fail."""

    async def work(client: Client) -> None:
        _print_settled(await client.fail_promise(promise, message), output)

    with_client(work, endpoint, namespace, token)


def _print_settled(effect: bool, output: Format) -> None:
    if output is Format.JSON:
        print_json({"effect": effect})
    else:
        print_fields({"promise": "settled" if effect else "no effect, it was settled before"})
