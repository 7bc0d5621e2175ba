"""Replays of recorded journals against the code as it is now: in tests, and in users' CI.

The machine and the loop are those of a worker, so the answer is that of a worker. No step, call or
timer is started and nothing is sent: what the body issues beyond the journal is only counted. What
a body does besides, against the rules (writing a file), happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

from perdure.definition import Definition
from perdure.registry import REGISTRY, definition_of
from perdure.testing.journal import RecordedJournal, journals_of
from perdure_runtime.core.entries import (
    AttemptEnded,
    AttemptStarted,
    ExecutionEnded,
    Recorded,
    Target,
)
from perdure_runtime.core.errors import InvalidArgumentError, JournalMismatchError, NotFoundError
from perdure_runtime.core.messages import Activate, Append, Finish, Mismatch

if TYPE_CHECKING:
    from perdure.service import Service
    from perdure_runtime.serde import Serializers

Source = RecordedJournal | str | PathLike[str] | Iterable[RecordedJournal | str | PathLike[str]]
MAX_DELIVERIES = 1000


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What became of one journal.

    Args:
        id: of the execution.
        target: `service/method`.
        entries: how many were replayed.
        commands: how many commands the code issues beyond the journal.
        ended: whether the body came to its end.
        diff: the mismatch, readable, with the source line; "" when the code fits.
        skipped: why it was not replayed, "" when it was.
    """

    id: str
    target: str
    entries: int
    commands: int = 0
    ended: bool = False
    diff: str = ""
    skipped: str = ""

    @property
    def matches(self) -> bool:
        """Whether a worker with this code could go on with the execution."""
        return not self.diff


def replay(source: Source, code: Callable[..., Any] | None = None) -> list[ReplayReport]:
    """Replay journals against code (semantics, section 4); nothing has effects.

    Args:
        source: a journal, a file from `perdure history ID -o json`, a directory of such files, or
            several of these.
        code: the decorated function that all of them are of; found by service and name among what
            this process has defined when None.

    Raises:
        JournalMismatchError: the code does not fit; the message holds every diff.
        NotFoundError: this process has no such function.
        InvalidArgumentError: a file is no exported history.
    """
    definition = None
    if code is not None:
        definition = definition_of(code)
        if definition is None:
            raise InvalidArgumentError(f"{code!r} is not decorated, so it has no journal")
    reports = [
        replay_journal(journal, definition or find_definition(journal.target))
        for journal in journals_of(source)
    ]
    broken = [f"execution {each.id} ({each.target}): {each.diff}" for each in reports if each.diff]
    if broken:
        raise JournalMismatchError("\n\n".join(broken))
    return reports


def find_definition(target: Target, services: Iterable[Service] | None = None) -> Definition:
    """What this process has under a target; by its name alone if only one service has that.

    Raises:
        NotFoundError: nothing, or several.
    """
    from perdure.registry import all_services

    all_services()  # collects what was decorated and not added to a service
    offered = REGISTRY.services.values() if services is None else services
    named = [each for each in offered if target.method in each.methods]
    exact = [each for each in named if each.name == target.service]
    found = exact or named
    if len(found) != 1:
        where = f"several services ({', '.join(e.name for e in found)})" if found else "no service"
        raise NotFoundError(f"{where} of this process offers {target.name()}")
    return found[0].methods[target.method]


def replay_journal(
    journal: RecordedJournal, definition: Definition, serializers: Serializers | None = None
) -> ReplayReport:
    """Replay the last attempt of one journal: what a worker would do that got the execution now."""
    from perdure.worker.body import make_driver
    from perdure_runtime.serde import Serializers

    target = journal.target.name()
    report = ReplayReport(journal.key.id, target, len(journal.entries))
    if not definition.is_durable:
        return replace(report, skipped=f"{target} is a {definition.kind} without a journal")
    if not definition.options.deterministic:
        return replace(report, skipped="it is not deterministic: a mismatch is a new try")
    attempt, run, entries = _last_attempt(journal)
    if attempt == 0:
        return replace(report, skipped="no attempt has started yet")
    activate = Activate(1, journal.key, run, attempt, journal.target, str(definition.kind), entries)
    driver = make_driver(activate, definition, serializers or Serializers(), lambda text: None)
    commands, ended, diff, more = 0, False, "", True
    try:
        while more:
            output = driver.advance(MAX_DELIVERIES)
            more = output.more
            for message in output.messages:
                match message:
                    case Append():
                        commands += len(message.commands)
                    case Finish():
                        ended = True
                    case Mismatch():
                        diff = message.diff
            commands += len(output.start)
    finally:
        driver.evict()
    return replace(report, entries=len(entries), commands=commands, ended=ended, diff=diff)


def _last_attempt(journal: RecordedJournal) -> tuple[int, int, tuple[Recorded, ...]]:
    """Number of the last attempt, run, and the entries up to the end of that attempt."""
    attempt, run, end = 0, 1, len(journal.entries)
    for recorded in journal.entries:
        match recorded.entry:
            case AttemptStarted() as started:
                attempt, end = started.attempt, len(journal.entries)
            case AttemptEnded() | ExecutionEnded():
                end = min(end, recorded.index)
            case _:
                run = getattr(recorded.entry, "run", run) or run
    return attempt, run, journal.entries[:end]
