"""For each promise an engine that breaks it on purpose, and the tests that have to notice.

Applied to a copy of the sources by `test_promise_mutations.py`; `old` stands once in its file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Mutation:
    """A change that breaks a promise.

    Args:
        breaks: what it does, in words.
        file: that is changed.
        caught_by: a file of tests, or one of its tests: some of it must fail then.
    """

    promise: str
    breaks: str
    file: str
    old: str
    new: str
    caught_by: str


_CORE: Final = "runtime/perdure_runtime/core"
_ENGINE: Final = "coordinator/perdure_coordinator/engine"

MUTATIONS: Final = (
    Mutation(
        "P1",
        "what a worker repeats after a reconnect is recorded again",
        f"{_CORE}/requests/append.py",
        "    return commands[repeated:] if repeated else commands\n",
        "    return commands\n",
        "tests/unit/test_core_append.py::test_what_is_recorded_already_is_not_recorded_again",
    ),
    Mutation(
        "P2",
        "answers and activations leave before the commit that covers them",
        f"{_ENGINE}/committer.py",
        "                await self._write(pending)\n"
        "                self.committed = pending.serial\n"
        "                self._release(pending)\n",
        "                self._release(pending)\n"
        "                await self._write(pending)\n"
        "                self.committed = pending.serial\n",
        "tests/unit/test_engine_commit.py",
    ),
    Mutation(
        "P3",
        "a start with another input attaches",
        f"{_CORE}/requests/create.py",
        "row.input_digest != input.digest:",
        "row.input_digest == b'':",
        "tests/unit/test_core_create.py::test_another_start_of_the_same_id_is_refused",
    ),
    Mutation(
        "P4",
        "what a worker held before a reconnect goes on under its old epoch",
        f"{_ENGINE}/workers.py",
        "        epoch = make_epoch(self._shard.epoch, next(self._counter))\n",
        "        epoch = execution.epoch or make_epoch(self._shard.epoch, next(self._counter))\n",
        "tests/unit/test_engine_leases.py::test_an_adoption_that_the_worker_did_not_hear_of_is_made_again",
    ),
    Mutation(
        "P5",
        "a timer that was set anew fires at its old time",
        f"{_CORE}/requests/timer.py",
        "    if _set_anew(execution, timer, kind, now_ms):\n",
        "    if False:\n",
        "tests/unit/test_core_timers.py",
    ),
    Mutation(
        "P6",
        "a method begins although another one holds the object",
        f"{_CORE}/objects.py",
        "        return place is not None and place.before is None\n",
        "        return place is not None\n",
        "tests/unit/test_core_objects.py::test_lanes_are_queues",
    ),
    Mutation(
        "P7",
        "a command with another input is taken for the recorded one",
        f"{_CORE}/machine.py",
        "            or (issued.digest != digest and issued.digest and digest)\n",
        "            or False\n",
        "tests/unit/test_machine_mismatch.py",
    ),
    Mutation(
        "P8",
        "no start is ever refused",
        f"{_ENGINE}/clients.py",
        "            shard.committer.congested\n            or ",
        "            False and ",
        "tests/unit/test_engine_memory.py::test_more_starts_than_are_loaded_at_a_time_are_refused",
    ),
    Mutation(
        "P9",
        "an execution that kills its workers is tried for ever",
        f"{_CORE}/requests/lease.py",
        "    if crashes < max_crashes:",
        "    if crashes:",
        "tests/unit/test_core_leases.py::test_crashing_at_the_same_place_parks_the_execution",
    ),
    Mutation(
        "P10",
        "an entry that was altered is believed",
        "runtime/perdure_runtime/integrity.py",
        '            return f"entry {entry.index} is not as it was written"\n',
        '            return ""\n',
        "tests/unit/test_engine_quarantine.py::test_the_intact_beginning_can_be_read_and_forked",
    ),
)
