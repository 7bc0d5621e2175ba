"""`python -m benchmarks [--cases ...] [--repeat 3] [--embedded]`: the first suite.

Coordinator and worker are processes of their own with default settings (SQLite, synced commits,
typed JSON), the client is this process. Medians of `--repeat` runs after a warm-up; compare the
figures of one run only.

Cases: floors (`fsync`, `ping`); `A1`, `A50`, `A500`: steps in a row at 1, 50 and 500 executions;
`B`: one-step executions a second with 64 clients; `C`: latency from start to result; `F`: replay of
5,000 recorded steps after a SIGKILL of the worker.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks import cases, floors
from benchmarks.site import EmbeddedSite, ProcessSite, Site

Case = Callable[[Site], Awaitable[dict[str, float]]]
CASES: dict[str, Case] = {
    "A1": cases.steps_at(1),
    "A50": cases.steps_at(50),
    "A500": cases.steps_at(500),
    "B": cases.one_step_executions,
    "C": cases.latency,
    "F": cases.replay,
}


def report(case: str, variant: str, runs: list[dict[str, float]]) -> None:
    """One JSON line: the run with the median value, and all values."""
    values = [run["value"] for run in runs]
    middle = sorted(runs, key=lambda run: run["value"])[len(runs) // 2]
    line = {"case": case, "variant": variant, **{k: round(v, 3) for k, v in middle.items()}}
    line["runs"] = [round(value, 3) for value in values]
    line["median"] = round(statistics.median(values), 3)
    print(json.dumps(line), flush=True)


async def main() -> None:
    """Run the chosen cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", default="fsync,ping,A1,A50,A500,B,C,F")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--embedded", action="store_true", help="one process, no gRPC")
    options = parser.parse_args()
    chosen = options.cases.split(",")
    for name, floor in floors.FLOORS.items():
        if name in chosen:
            report(name, "floor", [await floor() for _ in range(options.repeat)])
    with tempfile.TemporaryDirectory(prefix="perdure-bench-") as folder:
        variant = "embedded" if options.embedded else "grpc"
        site: Site = (EmbeddedSite if options.embedded else ProcessSite)(Path(folder))
        async with site:
            for name, case in CASES.items():
                if name not in chosen or (options.embedded and name == "F"):
                    continue
                await case(site)
                report(name, variant, [await case(site) for _ in range(options.repeat)])


if __name__ == "__main__":
    asyncio.run(main())
