"""Errors as exit codes and one line on stderr (the table of the public surface)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from perdure_runtime.core.errors import (
    CoordinatorUnavailableError,
    ExecutionCancelledError,
    ExecutionTimedOut,
    InvalidArgumentError,
    NotFoundError,
    PerdureError,
    SerializationError,
)


class ExitCode(IntEnum):
    """What the command's end says to scripts."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    CANCELLED = 4
    TIMED_OUT = 5
    HELD = 6
    UNREACHABLE = 7
    INTERRUPTED = 130


_CODES: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (NotFoundError, ExitCode.NOT_FOUND),
    (ExecutionCancelledError, ExitCode.CANCELLED),
    (ExecutionTimedOut, ExitCode.TIMED_OUT),
    (CoordinatorUnavailableError, ExitCode.UNREACHABLE),
    (InvalidArgumentError, ExitCode.USAGE),
    (SerializationError, ExitCode.USAGE),
    (TimeoutError, ExitCode.TIMED_OUT),
)


class UsageError(InvalidArgumentError):
    """The command line asks for something that cannot be."""


def exit_code(error: BaseException) -> ExitCode:
    """The exit code of an error; `FAILED` for what the table does not name."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)


def tell(text: str) -> None:
    """One line for people, on stderr."""
    sys.stderr.write(f"perdure: {text}\n")


@contextmanager
def failures_shown(interrupted: str = "interrupted") -> Iterator[None]:
    """End the process with the right code instead of a traceback.

    Args:
        interrupted: what Ctrl-C says.
    """
    try:
        yield
    except KeyboardInterrupt:
        tell(interrupted)
        raise SystemExit(ExitCode.INTERRUPTED) from None
    except (PerdureError, TimeoutError) as error:
        tell(str(error) or type(error).__name__)
        raise SystemExit(exit_code(error)) from None
