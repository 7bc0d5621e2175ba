"""`perdure schedule create|list|show|pause|resume|delete`: what is started again and again."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.cli.arguments import (
    Endpoint,
    Format,
    FunctionName,
    Input,
    Namespace,
    Output,
    Priority,
    ServiceName,
    Timeout,
    Token,
    parse_json,
)
from perdure.cli.connecting import with_client
from perdure.cli.failures import failures_shown
from perdure.cli.output import print_fields, print_json, print_table

if TYPE_CHECKING:
    from perdure.client.client import Client

ScheduleId = Annotated[str, typer.Argument(metavar="ID", help="Of the schedule.")]
NewScheduleId = Annotated[str, typer.Option("--id", help="Of the schedule.")]
Cron = Annotated[
    str | None,
    typer.Option(help="Minute, hour, day of month, month, day of week.", show_default=False),
]
Every = Annotated[float | None, typer.Option(help="Seconds between ticks.", show_default=False)]
Timezone = Annotated[str, typer.Option(help="Of the cron expression, such as Europe/Zurich.")]
Overlap = Annotated[str, typer.Option(help="skip, queue or cancel, while one is running.")]
Jitter = Annotated[float, typer.Option(help="Seconds by which starts are spread.")]
Backfill = Annotated[str, typer.Option(help="latest, all or none of the ticks that were missed.")]
Replace = Annotated[bool, typer.Option("--replace", help="Change an existing one.")]

app = typer.Typer(
    help="Start functions again and again.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def create(
    service: ServiceName,
    function: FunctionName,
    id: NewScheduleId,
    input: Input = "null",
    cron: Cron = None,
    every: Every = None,
    timezone: Timezone = "UTC",
    overlap: Overlap = "skip",
    jitter: Jitter = 0.0,
    backfill: Backfill = "latest",
    replace: Replace = False,
    priority: Priority = 0,
    timeout: Timeout = None,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Create a schedule by --cron or --every."""
    with failures_shown():
        payload = parse_json(input)

    async def work(client: Client) -> None:
        timing: Any = {"overlap": overlap, "backfill": backfill, "cron": cron, "every": every}
        handle = await client.schedule(
            service,
            function,
            payload,
            id=id,
            timezone=timezone,
            jitter=jitter,
            replace=replace,
            priority=priority,
            timeout=timeout,
            **timing,
        )
        _show(await handle.describe(), output)

    with_client(work, endpoint, namespace, token)


@app.command("list")
def list_schedules(
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """List schedules by id."""

    async def work(client: Client) -> None:
        found = await client.schedules()
        if output is Format.JSON:
            print_json(found)
            return
        rows = [
            (
                info.id,
                info.target,
                info.cron or f"every {info.every:g} s",
                "paused" if info.paused else info.next,
                info.last,
                info.problem or info.reason,
            )
            for info in found
        ]
        print_table(("ID", "TARGET", "WHEN", "NEXT", "LAST", "DETAIL"), rows)

    with_client(work, endpoint, namespace, token)


@app.command()
def show(
    id: ScheduleId,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Show a schedule and where it stands."""

    async def work(client: Client) -> None:
        _show(await client.get_schedule(id).describe(), output)

    with_client(work, endpoint, namespace, token)


@app.command()
def pause(
    id: ScheduleId,
    reason: str = "",
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Start nothing until the schedule is resumed."""

    async def work(client: Client) -> None:
        _told(id, "paused", await client.get_schedule(id).pause(reason), output)

    with_client(work, endpoint, namespace, token)


@app.command()
def resume(
    id: ScheduleId,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Go on with the next tick."""

    async def work(client: Client) -> None:
        _told(id, "resumed", await client.get_schedule(id).resume(), output)

    with_client(work, endpoint, namespace, token)


@app.command()
def delete(
    id: ScheduleId,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Forget a schedule; its executions stay."""

    async def work(client: Client) -> None:
        _told(id, "deleted", await client.get_schedule(id).delete(), output)

    with_client(work, endpoint, namespace, token)


def _show(info: Any, output: Format) -> None:
    if output is Format.JSON:
        print_json(info)
    else:
        shown = {field.name: getattr(info, field.name) for field in fields(info)}
        print_fields({name.replace("_", " "): value for name, value in shown.items()})


def _told(id: str, done: str, effect: bool, output: Format) -> None:
    if output is Format.JSON:
        print_json({"id": id, "effect": effect})
    else:
        print_fields({id: done if effect else "no effect, it is so already"})
