"""`python -m tests.crashpoints`: every (point, n) of every case, cached and suspended, in figures.

`python -m tests.crashpoints CASE POINT N [POINT N] [suspend]` runs one again and shows what it
raises.
"""

from __future__ import annotations

import asyncio
import sys
import time

from tests.crashpoints.corpus import CASES
from tests.crashpoints.enumeration import enumerate_points, replay


async def _all() -> int:
    violations: list[str] = []
    for always_suspend in (False, True):
        for case in CASES:
            began_s = time.monotonic()
            tally = await enumerate_points([case], always_suspend=always_suspend)
            took_s = time.monotonic() - began_s
            sys.stdout.write(
                f"{case.name:15} {'suspended' if always_suspend else 'cached':9} "
                f"{tally.cases:4} runs, {tally.faults:4} kills, "
                f"{len(tally.violations)} violations, {took_s:.1f} s\n"
            )
            violations += tally.violations
    sys.stdout.write("".join(f"{text}\n" for text in violations))
    return 1 if violations else 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        name, *words = sys.argv[1:]
        always_suspend = words[-1] == "suspend"
        plan = [*zip(words[::2], map(int, words[1::2]), strict=False)]
        asyncio.run(replay(name, *plan, always_suspend=always_suspend))
    else:
        sys.exit(asyncio.run(_all()))
