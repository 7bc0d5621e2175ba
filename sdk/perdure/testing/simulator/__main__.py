"""`python -m perdure.testing.simulator`: one run with its trace, or many and what came of them.

A run that fails is made as small as it gets, and the command that repeats it is printed. The exit
code is 1 when a run had violations.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from perdure.testing.simulator.corpus import names
from perdure.testing.simulator.faults import Faults
from perdure.testing.simulator.many import SHOWN, Summary, run_many
from perdure.testing.simulator.shrink import Case, shrink
from perdure.testing.simulator.world import SETTINGS
from perdure_runtime.core.errors import InvalidArgumentError, PerdureError


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        if asked.list:
            _say("\n".join(names()))
            return 0
        faults = Faults.parse(asked.faults)
        if asked.seeds is not None:
            return _many(asked, faults)
        smaller = tuple(int(part) for part in asked.smaller.split(",") if part)
        return _one(
            Case(asked.program, asked.seed, faults, _settings(asked.settings), smaller),
            trace=asked.trace,
            shrinking=asked.shrink,
        )
    except PerdureError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m perdure.testing.simulator",
        description="Run programs in a seeded world in which much goes wrong.",
    )
    parser.add_argument("--program", default="all", help="names, all, random; in turn")
    parser.add_argument("--seed", type=int, default=0, help="of one run")
    parser.add_argument("--seeds", help="A..B: many runs, from A to B without B")
    parser.add_argument("--processes", type=int, default=1, help="for many runs")
    parser.add_argument("--faults", default="", help="none, or kind=probability,... and limit=")
    parser.add_argument("--settings", default="", help=f"name=number,... of {', '.join(SETTINGS)}")
    parser.add_argument("--smaller", default="", help="which smaller program, as printed")
    parser.add_argument("--trace", action="store_true", help="print what happens in one run")
    parser.add_argument(
        "--shrink",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="make failing runs smaller; the default for many runs",
    )
    parser.add_argument("--list", action="store_true", help="print the programs")
    return parser


def _one(case: Case, *, trace: bool, shrinking: bool | None) -> int:
    if case.program == "all":
        raise InvalidArgumentError("one run needs one program: --program NAME; see --list")
    run = case.run(keep_lines=trace)
    if trace:
        _say("\n".join(run.lines))
    told = ", ".join(f"{kind} {count}" for kind, count in run.faults.most_common()) or "none"
    _say(f"{case.program}, seed {run.seed}: {run.duration_ms} ms of virtual time, faults: {told}")
    _say(f"trace {run.trace}")
    for text in run.violations:
        _say(f"VIOLATION: {text}")
    if run.violations and shrinking:
        _say(f"smallest: {shrink(case, _say).command()}")
    return 1 if run.violations else 0


def _many(asked: argparse.Namespace, faults: Faults) -> int:
    first, _, last = asked.seeds.partition("..")
    if not (first.isdigit() and last.isdigit()):
        raise InvalidArgumentError(f"--seeds {asked.seeds} is not A..B")
    programs = asked.program.split(",")
    began_s = time.monotonic()

    def progress(summary: Summary) -> None:
        if sys.stderr.isatty():
            failed = len(summary.failed)
            sys.stderr.write(f"\r{summary.runs} runs, {failed} with violations ")

    seeds = range(int(first), int(last))
    summary = run_many(programs, seeds, faults, processes=asked.processes, told=progress)
    for case, violations in summary.failed[:SHOWN]:
        _say(f"\nFAILED: {case.command()}")
        for text in violations[:SHOWN]:
            _say(f"  VIOLATION: {text}")
        if asked.shrink is not False:
            _say(f"  smallest: {shrink(case).command()}")
    for case, violations in summary.failed[SHOWN:]:
        _say(f"FAILED: {case.command()}\n  {violations[0]}")
    _say(f"programs: {', '.join(programs)}; seeds {asked.seeds}")
    for line in summary.lines():
        _say(line)
    _say(f"{time.monotonic() - began_s:.0f} s on {asked.processes} processes")
    return 1 if summary.failed else 0


def _settings(text: str) -> dict[str, int]:
    settings: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name not in SETTINGS or not value.isdigit():
            raise InvalidArgumentError(f"{part!r} is not name=number of {', '.join(SETTINGS)}")
        settings[name] = int(value)
    return settings


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
