"""Where the cases run: real processes, or one process with an embedded database."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import psutil

import perdure
from benchmarks.app import bench
from perdure.client.client import Client


class Site(Protocol):
    """A running system and a client of it."""

    client: Client

    async def __aenter__(self) -> Site: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def cpu_s(self) -> float:
        """CPU seconds of coordinator and worker so far."""
        ...

    def kill_worker(self) -> None:
        """SIGKILL the worker."""
        ...

    async def start_worker(self) -> float:
        """Start a worker; returns the seconds until it was registered."""
        ...


class ProcessSite:
    """`perdure server` and `perdure worker` as processes of their own."""

    client: Client

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = (folder / "log").open("ab")
        self._server: subprocess.Popen[bytes]
        self._worker: subprocess.Popen[bytes]

    def _spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "perdure", *arguments]
        return subprocess.Popen(command, stdout=self._log, stderr=self._log)

    async def __aenter__(self) -> Site:
        """Start everything."""
        port_file = self._folder / "port"
        database = str(self._folder / "bench.db")
        self._server = self._spawn(
            "server", "--db", database, "--port", "0", "--port-file", str(port_file)
        )
        while not port_file.exists():
            await asyncio.sleep(0.01)
        self._endpoint = f"http://127.0.0.1:{port_file.read_text().strip()}"
        self._connection = perdure.connect(self._endpoint)
        self.client = await self._connection.__aenter__()
        await self.start_worker()
        return self

    async def __aexit__(self, *_: Any) -> None:
        """Stop everything."""
        await self._connection.__aexit__(None, None, None)
        for process in (self._worker, self._server):
            process.terminate()
            process.wait()

    def cpu_s(self) -> float:
        """CPU seconds of both processes and their children."""
        total = 0.0
        for process in (self._server, self._worker):
            root = psutil.Process(process.pid)
            for one in (root, *root.children(recursive=True)):
                times = one.cpu_times()
                total += times.user + times.system
        return total

    def kill_worker(self) -> None:
        """SIGKILL."""
        self._worker.kill()
        self._worker.wait()

    async def start_worker(self) -> float:
        """Start a worker and wait until the coordinator lists it."""
        before = time.perf_counter()
        self._worker = self._spawn("worker", "benchmarks.app", "--endpoint", self._endpoint)
        known = {w.worker_id for w in await self.client.transport.list_workers("default")}
        while True:
            now = {w.worker_id for w in await self.client.transport.list_workers("default")}
            if now - known:
                return time.perf_counter() - before
            await asyncio.sleep(0.005)


class EmbeddedSite:
    """Everything in this process."""

    client: Client

    def __init__(self, folder: Path) -> None:
        self._runtime = perdure.embedded(str(folder / "bench.db"), services=[bench])
        self._process = psutil.Process()

    async def __aenter__(self) -> Site:
        """Open the runtime."""
        self.client = (await self._runtime.__aenter__()).client
        return self

    async def __aexit__(self, *_: Any) -> None:
        """Close the runtime."""
        await self._runtime.__aexit__(None, None, None)

    def cpu_s(self) -> float:
        """CPU seconds of this process, the client's share included."""
        times = self._process.cpu_times()
        return times.user + times.system

    def kill_worker(self) -> None:
        """There is none of its own."""

    async def start_worker(self) -> float:
        """There is none of its own."""
        return 0.0
