"""`make demo`: the main job over real processes, killed again and again, and once more embedded.

It starts a coordinator and a worker, starts the flow, kills the worker and the coordinator with
SIGKILL at several points of the way (seen by the witness file, not by the clock), starts them
again, and checks at the end with the witness and with its own reading of the files that every
file's result entered the report exactly once.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import perdure
from perdure.client.handle import ExecutionHandle

CHECKOUT = Path(__file__).parent.parent.parent
KILLS = [
    (0.10, "worker"),
    (0.25, "coordinator"),
    (0.40, "worker"),
    (0.55, "both"),
    (0.70, "worker"),
    (0.85, "coordinator"),
]
SLOTS = 8


def say(text: str) -> None:
    """A line for the person who watches."""
    print(text, flush=True)


class Machine:
    """The coordinator's and the worker's processes, on one database."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "demo.db"
        self.witness = folder / "witness.tsv"
        self.log = (folder / "processes.log").open("ab")
        self.port_file = folder / "port"
        self.port = 0
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def endpoint(self) -> str:
        """Where the coordinator listens."""
        return f"http://127.0.0.1:{self.port}"

    def _start(self, name: str, *arguments: str) -> None:
        environment = {**os.environ, "DEMO_WITNESS": str(self.witness)}
        command = [sys.executable, "-m", "perdure", *arguments]
        self.processes[name] = subprocess.Popen(
            command, env=environment, stdout=self.log, stderr=self.log, cwd=CHECKOUT
        )

    async def start_coordinator(self) -> None:
        """Start it on the port it had, or on a free one the first time."""
        self.port_file.unlink(missing_ok=True)
        self._start(
            "coordinator",
            *("server", "--db", str(self.database), "--port", str(self.port)),
            *("--port-file", str(self.port_file)),
        )
        while not self.port_file.exists():
            if self.processes["coordinator"].poll() is not None:
                raise SystemExit(f"the coordinator ended: see {self.log.name}")
            await asyncio.sleep(0.02)
        self.port = int(self.port_file.read_text())

    def start_worker(self) -> None:
        """Start a worker with both services."""
        self._start("worker", "worker", "examples.demo.tree", "--endpoint", self.endpoint)

    def kill(self, name: str) -> None:
        """SIGKILL: no goodbye."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def witnessed(self) -> list[str]:
        """Lines of the witness so far."""
        return self.witness.read_text().splitlines() if self.witness.exists() else []

    def stop(self) -> None:
        """End what still runs."""
        for name in list(self.processes):
            self.kill(name)


async def reach(machine: Machine, lines: int, handle: ExecutionHandle[Any]) -> None:
    """Wait until the witness has so many lines, showing the way."""
    while len(machine.witnessed()) < lines:
        await asyncio.sleep(0.02)
    say(f"  {len(machine.witnessed()):5d} files measured")


async def over_processes(root: str, count: int, folder: Path) -> dict[str, Any]:
    """The job with a coordinator and a worker that are killed on the way."""
    machine = Machine(folder)
    try:
        await machine.start_coordinator()
        machine.start_worker()
        async with perdure.connect(machine.endpoint) as client:
            handle = await client.start("files", "measure_tree", root, id="demo")
            say(f"started execution {handle.id!r} over {count} files at {machine.endpoint}")
            kills = 0
            for share, what in KILLS:
                await reach(machine, int(count * share), handle)
                for name in ("worker", "coordinator") if what == "both" else (what,):
                    say(f"  SIGKILL {name}")
                    machine.kill(name)
                    kills += 1
                if what != "worker":
                    await machine.start_coordinator()
                if what != "coordinator":
                    machine.start_worker()
            report: dict[str, Any] = await handle.result()
            entries = [entry async for entry in handle.history()]
        gapless = [entry.index for entry in entries] == list(range(len(entries)))
        say(f"finished after {kills} kills; the journal has {len(entries)} entries")
        check(root, report, machine.witnessed(), kills, gapless)
        return report
    finally:
        machine.stop()


def check(root: str, report: dict[str, Any], lines: list[str], kills: int, gapless: bool) -> None:
    """Compare the report with the files themselves and with the witness."""
    expected = {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(Path(root).rglob("*.py"))
        if "site-packages" not in p.parts
    }
    runs = Counter(line.split("\t")[0] for line in lines)
    keys = {tuple(line.split("\t")) for line in lines}
    again = sum(runs.values()) - len(runs)
    problems = [
        name
        for name, wrong in {
            "the report differs from the files": report["hashes"] != expected,
            "the totals are wrong": report["totals"]["files"] != len(expected),
            "a file was never measured": set(runs) != set(expected),
            "a key changed between two runs of one step": len(keys) != len(runs),
            "more bodies ran again than were in flight": again > kills * SLOTS,
            "the journal has gaps": not gapless,
        }.items()
        if wrong
    ]
    totals = report["totals"]
    say(
        f"  {totals['files']} files, {totals['size_bytes']:,} bytes, {totals['lines']:,} lines, "
        f"{totals['tokens']:,} tokens"
    )
    say(f"  every file entered the report exactly once; {again} step bodies ran more than once")
    say(f"  (only those in flight at one of the {kills} kills, each under its first key)")
    if problems:
        raise SystemExit("DEMO FAILED: " + "; ".join(problems))


async def embedded_until_done(root: str, folder: Path, count: int) -> None:
    """The same job in one process with an embedded database, killed and run again."""
    witness, database = folder / "embedded.tsv", folder / "embedded.db"
    environment = {**os.environ, "DEMO_WITNESS": str(witness)}
    command = [sys.executable, "-m", "examples.demo.embedded", root, str(database)]
    kills = 0
    for share in (0.2, 0.5, 0.8):
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, cwd=CHECKOUT
        )
        while not witness.exists() or len(witness.read_text().splitlines()) < count * share:
            if process.poll() is not None:
                raise SystemExit("DEMO FAILED: the embedded run ended early")
            await asyncio.sleep(0.02)
        say(f"  {len(witness.read_text().splitlines()):5d} files measured; SIGKILL the process")
        process.kill()
        process.wait()
        kills += 1
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True, cwd=CHECKOUT
    )
    report = perdure_json(done.stdout)
    check(root, report, witness.read_text().splitlines(), kills, True)


def perdure_json(text: str) -> dict[str, Any]:
    """The last line of a program's output as JSON."""
    import json

    report: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    return report


async def main() -> None:
    """Run the job both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", default=sysconfig.get_paths()["stdlib"])
    root = parser.parse_args().root
    count = sum("site-packages" not in p.parts for p in Path(root).rglob("*.py"))
    with tempfile.TemporaryDirectory(prefix="perdure-demo-") as name:
        say(f"1. coordinator and worker processes: measure {root}")
        first = await over_processes(root, count, Path(name))
        say("2. embedded: one process, one file, no server")
        await embedded_until_done(root, Path(name), count)
    say(f"Both ways measured {first['totals']['files']} files and lost or doubled nothing.")


if __name__ == "__main__":
    asyncio.run(main())
