"""PD101: the real clock where it is not replaced by the virtual one."""

from __future__ import annotations

from typing import Final

from perdure.checking.finding import Rule
from perdure.checking.rules.naming import calls_of

CLOCKS: Final = Rule(
    "PD101",
    "reads the real clock",
    "it differs in a replay: use ctx.now() or ctx.time()",
    calls_of(
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.today",
        "datetime.date.today",
        "time.localtime",
        "time.gmtime",
        "time.perf_counter",
        "time.perf_counter_ns",
        "time.process_time",
        "time.process_time_ns",
    ),
    determinism=True,
)
