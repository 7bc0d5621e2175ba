"""Worker processes: hash seed, several of them, restart of those that die.

Deterministic bodies may iterate over sets of strings, so worker processes run with a fixed hash
seed (semantics, section 4). A worker that dies soon after its start is not started again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from perdure.cli.failures import tell

SEED = "PYTHONHASHSEED"
SHORT_SECONDS = 5.0


def with_fixed_hash_seed() -> None:
    """Start this process anew with `PYTHONHASHSEED=0`, unless it has it already."""
    if os.environ.get(SEED) != "0":
        os.environ[SEED] = "0"
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(sys.executable, own_command())


def own_command() -> list[str]:
    """The command line that started this process."""
    return [sys.executable, *sys.orig_argv[1:]]


def supervise(command: Sequence[str], count: int) -> int:
    """Keep `count` processes running until SIGTERM or SIGINT; returns the exit code."""
    return _Supervisor(command, count).run()


class _Supervisor:
    """Several processes of one command."""

    def __init__(self, command: Sequence[str], count: int) -> None:
        self._command = command
        self._count = count
        self._running: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self._code = 0
        self._stopping = False

    def run(self) -> int:
        """Start them and wait until all have ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for _ in range(self._count):
            self._start()
        while self._running:
            pid, status = os.wait()
            self._ended(pid, os.waitstatus_to_exitcode(status))
        return self._code

    def _start(self) -> None:
        process = subprocess.Popen(self._command)
        self._running[process.pid] = (process, time.monotonic())
        if self._stopping:  # the signal came in between
            os.kill(process.pid, signal.SIGTERM)

    def _ended(self, pid: int, code: int) -> None:
        process, started = self._running.pop(pid, (None, 0.0))
        if process is None:
            return
        process.returncode = code
        if self._stopping or code == 0:
            return
        if time.monotonic() - started < SHORT_SECONDS:
            tell(f"worker process {pid} ended at once with code {code}; stopping the others")
            self._code = code if code > 0 else 1
            self._stop(signal.SIGTERM, None)
        else:
            tell(f"worker process {pid} ended with code {code}; starting another")
            self._start()

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = True
        for pid in self._running:
            os.kill(pid, number)  # Popen would reap the process here, and `run` would miss its end
