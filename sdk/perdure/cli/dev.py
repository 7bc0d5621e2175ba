"""`perdure dev`: server, worker and reload in one command, for development."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from perdure.cli.failures import ExitCode, failures_shown, tell
from perdure.cli.processes import SEED
from perdure.cli.sources import Snapshot, changed, snapshot
from perdure_runtime.core.errors import PerdureError

if TYPE_CHECKING:
    from perdure.cli.dev_lines import LiveLines
    from perdure.settings import Settings

WATCH_S: Final = 0.25
STOP_S: Final = 5.0
_READY: Final = re.compile(r"perdure: listening on \S+:(\d+),")

_WITH_PARENT: Final = """
import ctypes, os, signal, sys
try:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: end when the parent is killed
except (AttributeError, OSError):  # not Linux
    pass
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""

TargetName = Annotated[
    str, typer.Argument(metavar="TARGET", help="module:service, module or file.py")
]
Database = Annotated[
    str | None, typer.Option("--db", help="SQLite file.", show_default="perdure.db")
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Of the server; 0 takes a free one.")]
DefaultService = Annotated[
    str, typer.Option("--service", help="For functions that belong to no service.")
]


def dev(
    target: TargetName,
    db: Database = None,
    port: Port = 8080,
    service: DefaultService = "default",
) -> None:
    """Run a server and a worker for TARGET; start the worker anew when a source file changes."""
    from perdure.settings import load_settings

    with failures_shown("stopped"):
        settings = load_settings(db=db)
        code = asyncio.run(_Development(target, settings, port, service).run())
    if code:
        raise SystemExit(code)


class _Development:
    """The two processes and what watches over them."""

    def __init__(self, target: str, settings: Settings, port: int, service: str) -> None:
        self._target = target
        self._database = settings.db
        self._namespace = settings.namespace
        self._port = port
        self._service = service
        self._here = f"{Path.cwd()}{os.sep}"
        self._server: Process | None = None
        self._worker: Process | None = None
        self._stop = asyncio.Event()

    async def run(self) -> int:
        """Until SIGINT or SIGTERM, or the end of the server; returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        try:
            endpoint = await self._start_server()
            await self._develop(endpoint)
        finally:
            await _end(self._worker)
            await _end(self._server)
        assert self._server is not None
        return ExitCode.DONE if self._stop.is_set() else ExitCode.FAILED

    async def _start_server(self) -> str:
        place = ("--db", self._database, "--port", str(self._port))
        self._server = await _spawn("server", *place, stdout=PIPE)
        assert self._server.stdout is not None
        line = (await self._server.stdout.readline()).decode(errors="replace")
        ready = _READY.match(line)
        if ready is None:
            await self._server.wait()
            raise PerdureError("the server did not start; its message is above")
        return f"http://127.0.0.1:{ready[1]}"

    async def _develop(self, endpoint: str) -> None:
        from perdure.cli.dev_lines import LiveLines
        from perdure.client.connection import connect

        tell(f"server at {endpoint}, database {self._database}; Ctrl-C stops it and loses nothing")
        assert self._server is not None
        async with connect(endpoint, namespace=self._namespace, ambient=False) as client:
            lines = LiveLines(client, _say)
            await lines.look()  # what an earlier session has left, before anything moves
            tasks = [
                asyncio.create_task(self._stop.wait()),
                asyncio.create_task(self._server.wait()),
                asyncio.create_task(lines.run()),
                asyncio.create_task(self._reload(endpoint, lines)),
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _reload(self, endpoint: str, lines: LiveLines) -> None:
        """Keep a worker running with the code as it is."""
        directories = _directories(self._target)
        while True:
            before = await asyncio.to_thread(snapshot, directories)
            lines.code_changed()
            options = ("--endpoint", endpoint, "--service", self._service)
            self._worker = await _spawn("worker", self._target, *options)
            names = await self._until_changed(directories, before)
            shown = ", ".join(name.removeprefix(self._here) for name in names[:3])
            tell(f"{shown}{' and others' if len(names) > 3 else ''} changed: starting anew")
            await _end(self._worker)

    async def _until_changed(self, directories: list[Path], before: Snapshot) -> list[str]:
        assert self._worker is not None
        told = False
        while True:
            await asyncio.sleep(WATCH_S)
            names = changed(before, await asyncio.to_thread(snapshot, directories))
            if names:
                return names
            if self._worker.returncode is not None and not told:
                told = True
                tell(f"the worker ended with {self._worker.returncode}; waiting for a change")


def _directories(target: str) -> list[Path]:
    """Where the sources are: here, and where the target is."""
    here = Path.cwd()
    where = target.partition(":")[0]
    file = Path(where).resolve().parent if where.endswith(".py") else here
    return [here] if file.is_relative_to(here) else [here, file]


async def _spawn(*arguments: str, stdout: int | None = None) -> Process:
    """A command of ours in a session of its own: Ctrl-C is for this process to hand on."""
    command = (sys.executable, "-m", "perdure", *arguments)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _WITH_PARENT, str(os.getpid()), *command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        env={**os.environ, SEED: "0"},
        start_new_session=True,
    )


async def _end(process: Process | None) -> None:
    """SIGTERM, and SIGKILL for what does not listen; nothing is lost by either."""
    if process is None or process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
