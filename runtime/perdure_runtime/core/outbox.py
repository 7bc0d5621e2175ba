"""What a replay machine has sent and not yet seen recorded, and the messages that carry it.

Commands go out in the order they were issued, counted from the first of the attempt. After a
reconnect everything unacknowledged goes out again under the new epoch. Decides nothing about the
body; the machine says what to send.
"""

from __future__ import annotations

from typing import Final

import msgspec

from perdure_runtime.core.entries import (
    BranchCompleted,
    CallIssued,
    Command,
    CommandReused,
    EventAwaited,
    PatchDecided,
    Recorded,
    StateWrite,
    StateWritten,
    StepCheckpointed,
    StepCompleted,
    StepStarted,
)
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.issued import CALL, EVENT, PROMISE, TIMER, Issued
from perdure_runtime.core.messages import Ack, Append, Finish, Progress
from perdure_runtime.core.payload import Failure, Payload

WAKING: Final = (StepStarted, StepCompleted, BranchCompleted, CommandReused)
"""Commands whose acknowledgement always gives the body something to do."""


def wakes(command: Command) -> bool:
    """Whether the acknowledgement of this command gives the body something to do."""
    return type(command) in WAKING or (
        isinstance(command, EventAwaited) and command.source_index > 0
    )


class Outcome(msgspec.Struct, frozen=True):
    """How the body ended, as `Finish` says it."""

    result: Payload | None = None
    failure: Failure | None = None
    cancelled: bool = False
    timed_out: bool = False
    object_state: Payload | None = None
    continue_input: Payload | None = None


class Outbox:
    """The sending side of one activation.

    Attributes:
        recorded: how many commands of this attempt are known to be in the journal.
        waking: how many unacknowledged commands wake the body when they are recorded.
        is_repeating: whether a reconnect makes everything unacknowledged go out again.
        told_idle: whether the coordinator was told so, and nothing woke the execution since.
    """

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self._epochs = {0, epoch}  # 0: in what is acknowledged, which only the sender can get
        self.recorded = 0
        self.waking = 0
        self._sent: dict[str, Command] = {}
        self._loose = 0
        self.is_repeating = False
        self.told_idle = False

    def is_own(self, epoch: int) -> bool:
        """Whether an entry recorded under this epoch was sent by this activation."""
        return epoch in self._epochs

    def has_sent(self, path: str) -> bool:
        """Whether a command with this path is on its way."""
        return path in self._sent

    def acknowledged(self, ack: Ack) -> list[Recorded]:
        """Turn an acknowledgement into the entries it stands for."""
        if ack.count > len(self._sent):
            raise ProtocolError(
                f"{ack.count} commands acknowledged, but only {len(self._sent)} are on their way"
            )
        entries = []
        for offset in range(ack.count):
            command = self._sent.pop(next(iter(self._sent)))
            self._count(command)
            entries.append(Recorded(ack.first_index + offset, ack.time_ms, command))
        return entries

    def found(self, command: Command) -> bool:
        """A command came as an entry: of a replay, or what was recorded before a reconnect.

        Returns whether it is what was sent from here, as far as can be told: another worker may
        have recorded the same meanwhile.
        """
        self.recorded += 1
        if not self._sent or isinstance(command, StateWritten):
            return False
        sent = self._sent.pop(self._name(command), None)
        if sent is not None and wakes(sent):
            self.waking -= 1
        return sent == command

    def _count(self, command: Command) -> None:
        self.recorded += 1
        if wakes(command):
            self.waking -= 1
            self.told_idle = False

    def adopt(self, epoch: int) -> None:
        """The activation goes on under another epoch: prepare to send again."""
        self.epoch = epoch
        self._epochs.add(epoch)
        self.told_idle = False
        self.is_repeating = True
        self._sent = {
            path: msgspec.structs.replace(command, writes=()) if command.writes else command
            for path, command in self._sent.items()
            if not isinstance(command, StateWritten)
        }

    def append(
        self,
        commands: list[Command],
        writes: tuple[StateWrite, ...],
        consumed: int,
        cancel_calls: tuple[str, ...],
        cancel_timers: tuple[str, ...],
        idle: bool,
        progress: Progress | None,
    ) -> Append | None:
        """The message to send now, if there is anything to say."""
        base = self.recorded
        if self.is_repeating:
            self.is_repeating = False
            commands[:0] = self._sent.values()
            self._sent.clear()
            self.waking = 0
        else:
            base += len(self._sent)
        if writes:
            self._carry(commands, writes)
        for command in commands:
            self._sent[self._name(command)] = command
            if wakes(command):
                self.waking += 1
        idle = idle and not self.waking
        silent = not (commands or cancel_calls or cancel_timers or progress is not None)
        if silent and (not idle or self.told_idle):
            return None
        self.told_idle = idle
        return Append(
            self.epoch, base, consumed, tuple(commands), cancel_calls, cancel_timers, idle, progress
        )

    def finish(
        self,
        outcome: Outcome,
        consumed: int,
        writes: tuple[StateWrite, ...],
        progress: Progress | None,
        unclaimed_events: tuple[int, ...],
        state: tuple[StateWrite, ...] = (),
    ) -> Finish:
        """The last message of the activation."""
        return Finish(
            self.epoch,
            self.recorded + len(self._sent),
            consumed,
            outcome.result,
            outcome.failure,
            outcome.cancelled,
            outcome.timed_out,
            writes,
            progress,
            outcome.object_state,
            unclaimed_events,
            outcome.continue_input,
            state,
        )

    def known(
        self, hints: list[Issued], commands: list[Command]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Paths of the calls and of the timers among these that the coordinator knows, or learns
        now by these commands."""
        calls: list[str] = []
        timers: list[str] = []
        going = {command.path for command in commands if isinstance(command, CallIssued)}
        for issued in hints:
            path = issued.path
            if not (issued.recorded or path in going or self.has_sent(path)):
                continue
            if issued.kind == CALL:
                calls.append(issued.path)
            elif issued.kind in (TIMER, EVENT, PROMISE) or issued.backing_off:
                timers.append(issued.path)
        return tuple(calls), tuple(timers)

    def _name(self, command: Command) -> str:
        if isinstance(command, StateWritten):
            self._loose += 1
            return f"\0{self._loose}"
        if isinstance(command, PatchDecided):
            return f"\0patch/{command.id}"
        if isinstance(command, StepCheckpointed):
            return f"\0checkpoint/{command.path}/{command.number}"
        return command.path

    @staticmethod
    def _carry(commands: list[Command], writes: tuple[StateWrite, ...]) -> None:
        if commands:
            commands[0] = msgspec.structs.replace(commands[0], writes=writes)
        else:
            commands.append(StateWritten(writes))
