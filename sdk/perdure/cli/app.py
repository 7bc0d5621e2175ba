"""The typer application: every command under its name."""

from __future__ import annotations

import typer

from perdure.cli.cancel import cancel
from perdure.cli.check import check
from perdure.cli.control import delete, pause, resume
from perdure.cli.database import backup, restore, verify
from perdure.cli.dev import dev
from perdure.cli.event import event, promises
from perdure.cli.fork import fork
from perdure.cli.health import health
from perdure.cli.history import history
from perdure.cli.list import list_executions
from perdure.cli.replay import replay
from perdure.cli.result import result
from perdure.cli.retry import retry
from perdure.cli.run import run
from perdure.cli.schedule import app as schedule_app
from perdure.cli.server import server
from perdure.cli.services import services
from perdure.cli.show import show
from perdure.cli.start import start
from perdure.cli.stream import stream
from perdure.cli.worker import worker
from perdure.cli.workers import workers

app = typer.Typer(
    name="perdure",
    help="Durable execution for Python. Exit codes: 0 done, 1 failed, 2 usage, 3 not found, "
    "4 cancelled, 5 timed out, 6 paused or blocked, 7 unreachable, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich alone would double the time of --help
)

for command in (
    server,
    worker,
    dev,
    start,
    run,
    result,
    show,
    history,
    stream,
    event,
    cancel,
    retry,
    pause,
    resume,
    delete,
    fork,
    health,
    workers,
    services,
    replay,
    check,
    verify,
    backup,
    restore,
):
    app.command()(command)
app.command("list")(list_executions)
app.add_typer(promises, name="promise")
app.add_typer(schedule_app, name="schedule")
