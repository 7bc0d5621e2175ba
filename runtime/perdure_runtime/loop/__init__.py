"""The deterministic asyncio loop that bodies run on; `perdure_runtime.driver` drives it."""

from perdure_runtime.loop.lineage import Node
from perdure_runtime.loop.loop import DeterministicLoop, ExceptionContext, install
from perdure_runtime.loop.slices import outside_of_slice
from perdure_runtime.loop.tasks import Future, Task
from perdure_runtime.loop.teardown import tear_down
from perdure_runtime.loop.time_calls import TimeCall, find_time_calls
from perdure_runtime.loop.timers import DurableTimer
from perdure_runtime.loop.virtual import real_monotonic, real_time, simulated_reality

__all__ = [
    "DeterministicLoop",
    "DurableTimer",
    "ExceptionContext",
    "Future",
    "Node",
    "Task",
    "TimeCall",
    "find_time_calls",
    "install",
    "outside_of_slice",
    "real_monotonic",
    "real_time",
    "simulated_reality",
    "tear_down",
]
