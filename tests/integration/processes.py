"""Real processes for tests: coordinators that are started, killed and started again.

    async with started_coordinator(tmp_path) as coordinator:
        transport = GrpcTransport(coordinator.endpoint)

A coordinator is ready when `start` returns: it has printed its line. Nothing here sleeps. Output is
kept and shown when something goes wrong. Processes are ended by the block, SIGKILL if they must.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.proof.counting import tried

READY: Final = re.compile(r"perdure: listening on (\S+):(\d+), database (.*), pid (\d+)")
PATIENCE_S: Final = 30.0


class ProcessEnded(AssertionError):
    """A process ended before it was ready; the message has its output."""


class PythonProcess:
    """`python -m module arguments...` with its output collected.

    Args:
        ready: a regular expression; `start` returns when a line of its output matches it.
        environment: added to this process's own.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        ready: re.Pattern[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.module = module
        self.arguments = list(arguments)
        self.environment = dict(environment or {})
        self.ready = ready
        self.match: re.Match[str] | None = None
        self.output: list[str] = []
        self.errors: list[str] = []
        self._process: Process | None = None
        self._counted: Process | None = None  # its violent end is in the figures of the proof
        self._readers: list[asyncio.Task[None]] = []
        self._line = asyncio.Event()

    def command(self) -> list[str]:
        """What is executed; programs that are not Python's override it."""
        return [sys.executable, "-m", self.module, *self.arguments]

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it and wait for its ready line.

        Raises:
            ProcessEnded: it ended before.
        """
        assert not self.running, "it runs already"
        self.output, self.errors, self.match = [], [], None
        self._process = await asyncio.create_subprocess_exec(
            *self.command(),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={**os.environ, **self.environment},
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            asyncio.create_task(self._collect(self._process.stdout, self.output)),
            asyncio.create_task(self._collect(self._process.stderr, self.errors)),
        ]
        ended = asyncio.create_task(self.wait())
        async with asyncio.timeout(PATIENCE_S):
            while self.match is None:
                line = asyncio.create_task(self._line.wait())
                await asyncio.wait((ended, line), return_when=asyncio.FIRST_COMPLETED)
                line.cancel()
                self._line.clear()
                said = [*self.output, *self.errors]
                self.match = next(filter(None, map(self.ready.match, said)), None)
                if self.match is None and ended.done():
                    raise ProcessEnded(f"{self.module} ended with {ended.result()}: {self.told()}")
        ended.cancel()

    async def wait(self) -> int:
        """Wait until it has ended; returns its exit code (negative: the signal)."""
        assert self._process is not None
        code = await self._process.wait()
        await asyncio.gather(*self._readers)
        if code == -signal.SIGKILL and self._counted is not self._process:
            self._counted = self._process
            tried(faults=1)
        return code

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    async def says(self, pattern: str) -> re.Match[str]:
        """Wait for the next line that matches; what it said before is not looked at.

        Raises:
            ProcessEnded: it ended without.
        """
        expression = re.compile(pattern)
        seen = {id(lines): len(lines) for lines in (self.output, self.errors)}
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for lines in (self.output, self.errors):
                    for line in lines[seen[id(lines)] :]:
                        if match := expression.search(line):
                            return match
                    seen[id(lines)] = len(lines)
                if not self.running and all(reader.done() for reader in self._readers):
                    raise ProcessEnded(f"it ended without {pattern}: {self.told()}")
                self._line.clear()
                await self._line.wait()

    async def answer(self, line: str, pattern: str) -> re.Match[str]:
        """Tell it a line and wait for its answer."""
        said = asyncio.create_task(self.says(pattern))
        await asyncio.sleep(0)  # it looks from here on
        self.tell(line)
        return await said

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)
        if number == signal.SIGSTOP:
            tried(faults=1)

    async def stop(self) -> int:
        """SIGTERM, and wait for the end."""
        self.signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            return await self.wait()

    async def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.signal(signal.SIGKILL)
        await self.wait()

    def told(self) -> str:
        """Everything it has written."""
        return "\n".join([*self.output, *self.errors])

    async def _collect(self, stream: asyncio.StreamReader, lines: list[str]) -> None:
        async for line in stream:
            lines.append(line.decode(errors="replace").rstrip("\n"))
            self._line.set()
        self._line.set()


class CoordinatorProcess(PythonProcess):
    """A coordinator over a SQLite file.

    Args:
        database: path of the file.
        port: 0 takes a free one at the first start, which later starts keep.
        settings: fields of `perdure_coordinator.config.Config`.
    """

    def __init__(
        self,
        database: Path,
        *,
        port: int = 0,
        settings: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.database = database
        self.port = port
        self.settings = dict(settings or {})
        super().__init__("perdure_coordinator", (), ready=READY, environment=environment)

    @property
    def endpoint(self) -> str:
        """For clients and workers."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it and wait until it serves."""
        self.arguments = ["--db", str(self.database), "--port", str(self.port)]
        for name, value in self.settings.items():
            self.arguments += ["--set", f"{name}={value}"]
        await super().start()
        assert self.match is not None
        self.port = int(self.match[2])


@asynccontextmanager
async def started_coordinator(
    directory: Path,
    *,
    settings: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[CoordinatorProcess]:
    """A coordinator over `directory/perdure.db` that serves; it is stopped at the end."""
    coordinator = CoordinatorProcess(
        directory / "perdure.db", settings=settings, environment=environment
    )
    await coordinator.start()
    try:
        yield coordinator
    finally:
        if coordinator.running:
            coordinator.signal(signal.SIGCONT)
            try:
                await coordinator.stop()
            except TimeoutError:
                await coordinator.kill()
                raise
