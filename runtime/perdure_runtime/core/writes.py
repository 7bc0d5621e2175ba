"""`ctx.state` of one attempt: what the body reads, and which of its writes the journal has.

Writes ride in the next command. A replay makes the same writes again: the k-th write of the body is
the k-th recorded one, so recorded writes are only compared and counted, never sent again. What
compares is here; who sends is the machine.
"""

from __future__ import annotations

from collections import deque

from perdure_runtime.core.entries import StateWrite
from perdure_runtime.core.lookup import HIDDEN, apply_write
from perdure_runtime.core.payload import Payload


class StateWrites:
    """The state and the writes of the current attempt."""

    def __init__(self, state: dict[str, Payload]) -> None:
        self.state = state
        self.made = 0
        self._open: deque[StateWrite] = deque()  # made, not yet recorded
        self._sent = 0  # how many of the open ones are on their way

    def write(self, key: str, value: Payload | None) -> None:
        """Make one write."""
        write = StateWrite(key, value)
        apply_write(self.state, write)
        self._open.append(write)
        self.made += 1

    def keys(self) -> list[str]:
        """The user's keys."""
        return [key for key in self.state if not key.startswith(HIDDEN)]

    def snapshot(self) -> tuple[StateWrite, ...]:
        """Writes that make the whole state anew."""
        return tuple(StateWrite(key, value) for key, value in self.state.items())

    @property
    def unsent(self) -> bool:
        """Whether there are writes that no message carries."""
        return len(self._open) > self._sent

    def take(self) -> tuple[StateWrite, ...]:
        """The writes for the message that goes out now."""
        if self._sent == len(self._open):
            return ()
        writes = tuple(self._open)[self._sent :]
        self._sent = len(self._open)
        return writes

    def send_again(self) -> None:
        """After a reconnect: whatever is not recorded has to ride again."""
        self._sent = 0

    def drop(self) -> None:
        """Forget what is not recorded."""
        self._open.clear()
        self._sent = 0

    def confirm(
        self, recorded: tuple[StateWrite, ...]
    ) -> tuple[StateWrite, StateWrite | None] | None:
        """Compare recorded writes with those made; return the first pair that differs."""
        for write in recorded:
            made = self._open.popleft() if self._open else None
            if made is None or not _same(made, write):
                return write, made
            if self._sent:
                self._sent -= 1
        return None


def _same(made: StateWrite, recorded: StateWrite) -> bool:
    if made.key != recorded.key:
        return False
    if made.value is None or recorded.value is None:
        return made.value is recorded.value
    ours, theirs = made.value.digest, recorded.value.digest
    return not ours or not theirs or ours == theirs
